export { pullCable, slowLink } from './cable.ts';
export { delayProxy, type DelayProxy, type DelayProxyOptions } from './delay-proxy.ts';
export { fillDisk, smallDisk } from './disk.ts';
export { must } from './must.ts';
export { cutPower } from './power.ts';
export { simulateClockSkew, simulateSwap } from './simulated.ts';
export { hangSshd, stopSshd } from './sshd.ts';
export { dropTraffic, killConnections, removeDefaultRoute, type Traffic } from './traffic.ts';
export type { Undo } from './undo.ts';
