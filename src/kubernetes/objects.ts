import * as z from 'zod';

/** What is read of Kubernetes objects; outside replies are read loosely, only the fields needed. */
const metadata = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

const taint = z.looseObject({ key: z.string(), value: z.string().optional(), effect: z.string() });

export const nodeSchema = z.looseObject({
  kind: z.literal('Node').optional(),
  metadata,
  spec: z.looseObject({ taints: z.array(taint).optional(), unschedulable: z.boolean().optional() }).default({}),
  status: z
    .looseObject({
      conditions: z
        .array(
          z.looseObject({
            type: z.string(),
            status: z.string(),
            reason: z.string().optional(),
            message: z.string().optional(),
          }),
        )
        .optional(),
      addresses: z.array(z.looseObject({ type: z.string(), address: z.string() })).optional(),
      nodeInfo: z.looseObject({ kubeletVersion: z.string().optional() }).optional(),
    })
    .default({}),
});

export type KubeNode = z.output<typeof nodeSchema>;

export const podSchema = z.looseObject({
  metadata,
  spec: z.looseObject({ nodeName: z.string().optional() }).default({}),
  status: z
    .looseObject({
      phase: z.string().optional(),
      podIP: z.string().optional(),
      podIPs: z.array(z.looseObject({ ip: z.string() })).optional(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).optional(),
      containerStatuses: z
        .array(
          z.looseObject({
            name: z.string(),
            ready: z.boolean(),
            restartCount: z.number().optional(),
            state: z
              .looseObject({
                waiting: z.looseObject({ reason: z.string().optional(), message: z.string().optional() }).optional(),
              })
              .optional(),
          }),
        )
        .optional(),
    })
    .default({}),
});

export type KubePod = z.output<typeof podSchema>;

const listSchema = z.looseObject({ items: z.array(z.unknown()) });

/** Items of a list that fit the schema; what does not fit is left out. */
export function parseItems<T>(value: unknown, schema: z.ZodType<T>): T[] {
  const list = listSchema.safeParse(value);
  if (!list.success) return [];
  return list.data.items.flatMap((item) => {
    const parsed = schema.safeParse(item);
    return parsed.success ? [parsed.data] : [];
  });
}

/** Kind and name of each item of a mixed list: `Node/a`. */
export function itemNames(value: unknown): Set<string> {
  const named = z.looseObject({ kind: z.string(), metadata });
  return new Set(parseItems(value, named).map((item) => `${item.kind}/${item.metadata.name}`));
}

export function isReady(object: {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] | undefined };
}): boolean {
  return object.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
