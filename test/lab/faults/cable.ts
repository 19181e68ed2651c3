import { run, tryRun } from '../commands.ts';
import type { LabHost } from '../host.ts';
import { once, type Undo } from './undo.ts';

/** Pulls a host's network cable: it stays on and reaches nobody. Undo plugs it in. */
export async function pullCable(host: LabHost): Promise<Undo> {
  await run('ip', ['link', 'set', host.cable, 'down']);
  return once(async () => {
    // A host that was off meanwhile has a new cable, which is plugged in.
    await tryRun('ip', ['link', 'set', host.cable, 'up']);
  });
}

/** Makes a host's link slow in both directions (token bucket: no delay is added, the kernel has no netem). */
export async function slowLink(host: LabHost, options: { readonly rateKbit: number }): Promise<Undo> {
  const bucket = (device: string): string[] => {
    const shape = ['tbf', 'rate', `${options.rateKbit}kbit`, 'burst', '32kb', 'latency', '400ms'];
    return ['qdisc', 'replace', 'dev', device, 'root', ...shape];
  };
  await run('tc', bucket(host.cable));
  const inside = await host.execInNetwork(['tc', ...bucket('host0')]);
  if (inside.exitCode !== 0) throw new Error(`the link of ${host.name} cannot be slowed: ${inside.stderr.trim()}`);
  return once(async () => {
    await tryRun('tc', ['qdisc', 'del', 'dev', host.cable, 'root']);
    if (await host.leader()) await host.execInNetwork(['tc', 'qdisc', 'del', 'dev', 'host0', 'root']);
  });
}
