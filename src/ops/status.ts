/** Exit status by which a query's snippet says "absent". */
export const absentStatus = 44;
