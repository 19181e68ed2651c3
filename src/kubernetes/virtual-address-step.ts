import { readAsset } from '../assets.ts';
import { blocked, changes, noChanges, type Change, type Step, type StepPlan } from '../engine/step.ts';
import { parseAddresses } from '../hosts/facts-network.ts';
import { fillTemplate } from '../lib/template.ts';
import type { Action } from '../ops/action.ts';
import { commandQuery, fileQuery, serviceQuery, type Answers, type Seen, type ServiceSeen } from '../ops/query.ts';
import { customStep } from '../steps/edit-step.ts';
import { kubernetesPaths } from './paths.ts';

export const virtualAddressUnit = 'kubernetes-virtual-address.service';
export const virtualAddressPath = `/etc/systemd/system/${virtualAddressUnit}`;

export interface HeldAddress {
  readonly address: string;
  readonly interface: string;
}

export interface VirtualAddressInput {
  /** Absent where the file names none: then the host holds none. */
  readonly held: HeldAddress | undefined;
  /** `host:port` by which nodes and clients reach the API server. */
  readonly endpoint: string;
}

const unitFile = fileQuery(virtualAddressPath);
const service = serviceQuery(virtualAddressUnit);
const addresses = commandQuery(['ip', '-o', '-4', 'addr', 'show']);
const initConfig = fileQuery(kubernetesPaths.initConfig);
const apiManifest = fileQuery(kubernetesPaths.apiServerManifest, { content: false });

/**
 * The host holds the address, now and from each boot on, by a small unit in front of kubelet that puts it back where something
 * takes it off. Whether the host holds it is asked of the kernel.
 */
export function virtualAddressStep({ held, endpoint }: VirtualAddressInput): Step {
  return customStep('virtual-address', [unitFile, service, addresses, initConfig, apiManifest], (seen) => {
    const file = seen(unitFile);
    const unit = seen(service);
    const shown = seen(addresses);
    if (file.state === 'unknown') return unreadable(virtualAddressPath, file.reason);
    if (unit.state === 'unknown') return unreadable(virtualAddressUnit, unit.reason);
    if (shown.state !== 'present' || shown.value.exitCode !== 0)
      return unreadable('the addresses of the host', 'ip address shows none');
    const made = endpointMade(seen);
    const isThere = file.state === 'present';
    if (made !== undefined && made !== endpoint && (held !== undefined || isThere))
      return blocked(
        'SETTING_FIXED',
        `the cluster was made with the endpoint ${made}, and the file says ${endpoint}`,
        'this cannot be changed on a running cluster: set spec.kubernetes.virtualAddress and controlPlaneEndpoint back in the cluster file',
      );
    if (held === undefined) return isThere ? changes(letGo(file.value.content, unit.state === 'present')) : noChanges;
    const text = renderUnit(held);
    const isWritten = isThere && file.value.content === text && file.value.mode === '644';
    const isHeld = parseAddresses(shown.value.stdout).some(
      ({ address, interface: name }) => address === held.address && name === held.interface,
    );
    return planHeld(held, { text, isWritten, before: isThere ? (file.value.content ?? '') : undefined, isHeld }, unit);
  });
}

interface Held {
  readonly text: string;
  readonly isWritten: boolean;
  readonly before: string | undefined;
  readonly isHeld: boolean;
}

function planHeld(
  { address, interface: name }: HeldAddress,
  { text, isWritten, before, isHeld }: Held,
  unit: Seen<ServiceSeen>,
): StepPlan {
  const state = unit.state === 'present' ? unit.value : undefined;
  const isOn = state?.activeState === 'active' && state.unitFileState === 'enabled';
  if (isWritten && isOn && isHeld) return noChanges;
  const why = isWritten && !isHeld ? ': it was taken off' : '';
  return changes({
    summary: `hold the address ${address} of the API server on ${name}${why}`,
    ...(isWritten ? {} : { before, after: text }),
    actions: [
      {
        kind: 'record',
        thing: { kind: 'unit', unit: virtualAddressUnit, becomes: { enablement: 'enabled', activity: 'active' } },
      } as const,
      // By the unit as it was: it may have held another address.
      ...(state === undefined || isWritten ? [] : [act('stop')]),
      ...(isWritten
        ? []
        : [{ kind: 'write-file', path: virtualAddressPath, content: text, mode: '644', record } as const]),
      reload,
      act('enable'),
      act('restart'),
    ],
  });
}

function letGo(before: string | undefined, isLoaded: boolean): Change {
  return {
    summary: 'let go of the address of the API server, which the cluster file names no more',
    disruptive: true,
    before,
    after: '',
    actions: [
      ...(isLoaded ? [act('stop'), act('disable')] : []),
      { kind: 'remove', path: virtualAddressPath, record },
      reload,
    ],
  };
}

/** What was there before is put back at reset. */
const record = { after: [['systemctl', 'daemon-reload']] } as const;

const reload: Action = { kind: 'service', unit: '', do: 'daemon-reload' };

function act(verb: 'stop' | 'enable' | 'disable' | 'restart'): Action {
  return { kind: 'service', unit: virtualAddressUnit, do: verb };
}

function renderUnit(held: HeldAddress): string {
  return fillTemplate(readAsset('templates/systemd/virtual-address.service'), { ...held });
}

/** What kubeadm init was given, where it made a control plane here. */
function endpointMade(seen: Answers): string | undefined {
  const config = seen(initConfig);
  if (seen(apiManifest).state !== 'present' || config.state !== 'present') return undefined;
  return /^controlPlaneEndpoint: "?([^"\n]+)"?$/m.exec(config.value.content ?? '')?.[1];
}

function unreadable(what: string, reason: string): StepPlan {
  return blocked(
    'ADDRESS_UNKNOWN',
    `cannot read ${what}: ${reason}`,
    'see whether the host is healthy, then run again',
  );
}
