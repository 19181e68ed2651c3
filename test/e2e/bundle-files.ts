/** The parts of a cluster file and of a catalog that the suite of bundles changes or reads. */
export interface ClusterFile {
  spec: {
    ssh: Record<string, unknown>;
    hosts: Record<string, unknown>[];
    kubernetes: { version?: string };
    osPackages?: object;
    hostSettings?: object;
    runtime: { registries: Record<string, { mirrors: string[]; ca?: string }> };
    artifacts: { mirrors: Record<string, string>; catalogs: string[] };
  };
}

export interface CatalogFile {
  spec: { minor: string; defaultVersion?: string; kubernetes: Record<string, unknown> };
}
