/**
 * From a clone to a cluster: the binary, lab hosts on this machine, a cluster on them. Every step can be run again; what
 * is already there is used.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { loadClusterConfig } from '../src/spec/load.ts';
import { labPaths, defaultLab } from '../test/lab/paths.ts';

const packageRoot = join(import.meta.dirname, '..');
const binary = join(packageRoot, 'dist', 'installer');
const { configFile, knownHostsFile } = labPaths(defaultLab);
const startedMs = performance.now();

console.log(`This makes, on this machine and in this order:
  1. dist/installer, the single binary                        10 seconds
  2. the lab: three hosts, and an upstream to install from    12 minutes or more the first time, then half a minute
  3. a Kubernetes cluster on these hosts                      2 minutes
The lab lies in .lab and in a cache outside the checkout. It needs root and Linux.`);

step('Making dist/installer', [process.execPath, 'scripts/package.ts']);
step('Bringing up the lab', [process.execPath, 'test/lab/cli.ts', 'up']);
step('Making the cluster', [binary, 'cluster-create', '-c', configFile]);
step('The nodes of the cluster', [...(await sshToControlPlane()), 'sudo', ...kubectl('get', 'nodes', '-o', 'wide')]);

const ssh = (await sshToControlPlane()).join(' ');
console.log(`
Done in ${minutes()} minutes. Go on with:
  ${ssh} sudo ${kubectl('get', 'pods', '-A').join(' ')}
  dist/installer cluster-create -c ${configFile} --dry-run      # shows that nothing is left to do
  dist/installer reset -c ${configFile} --confirm ${await clusterName()}
  npm run lab:status
  npm run lab:down                                              # takes everything down again`);

function step(title: string, [program, ...args]: readonly string[]): void {
  console.log(`\n== ${title} (${minutes()} min)`);
  const { status, error } = spawnSync(program ?? '', args, { cwd: packageRoot, stdio: 'inherit' });
  if (error === undefined && status === 0) return;
  console.error(`\nquickstart: "${title}" failed${error === undefined ? '' : `: ${error.message}`}.`);
  console.error('Mend what it says and run `npm run quickstart` again, or take everything down: npm run lab:down');
  process.exit(1);
}

async function sshToControlPlane(): Promise<readonly string[]> {
  const { spec } = await loadClusterConfig(configFile);
  const host = spec.hosts.find((item) => item.roles.includes('control-plane'));
  if (host === undefined) throw new Error(`${configFile} has no control plane`);
  const key = host.ssh.keyFile === undefined ? [] : ['-i', host.ssh.keyFile];
  return ['ssh', ...key, '-o', `UserKnownHostsFile=${knownHostsFile}`, `${host.ssh.user}@${host.address}`];
}

async function clusterName(): Promise<string> {
  const config = await loadClusterConfig(configFile);
  return config.metadata.name;
}

function kubectl(...args: readonly string[]): readonly string[] {
  return ['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', ...args];
}

function minutes(): string {
  return ((performance.now() - startedMs) / 60_000).toFixed(1);
}
