import type { LabHost } from '../host.ts';
import { must } from './must.ts';
import { once, type Undo } from './undo.ts';

/** Stops a host's SSH server: new connections are refused, open ones go on. Undo starts it. */
export async function stopSshd(host: LabHost): Promise<Undo> {
  await must(host, ['systemctl', 'stop', 'ssh.service']);
  return once(async () => {
    if (await host.leader()) await must(host, ['systemctl', 'start', 'ssh.service']);
  });
}

/** Makes a host's SSH server hang: it takes connections and never greets. Undo lets it go on. */
export async function hangSshd(host: LabHost): Promise<Undo> {
  await must(host, ['systemctl', 'kill', '--kill-whom=main', '--signal=SIGSTOP', 'ssh.service']);
  return once(async () => {
    if (!(await host.leader())) return;
    await must(host, ['systemctl', 'kill', '--kill-whom=main', '--signal=SIGCONT', 'ssh.service']);
  });
}
