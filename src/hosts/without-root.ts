import { InstallerError } from '../errors.ts';
import type { Transport } from '../transport/transport.ts';

/**
 * A transport for looking only: where the account cannot become root, scripts run in the account itself, and `onNoRoot` is told
 * why. What they cannot read is unknown or absent then, so nobody may plan a change from it.
 */
export function lookingWithoutRoot(transport: Transport, onNoRoot: (why: InstallerError) => void): Transport {
  let hasNoRoot = false;
  return {
    description: transport.description,
    get privilege() {
      return transport.privilege;
    },
    get trips() {
      return transport.trips;
    },
    async exec(script, options) {
      if (hasNoRoot) return transport.exec(script, { ...options, root: false });
      try {
        return await transport.exec(script, options);
      } catch (error) {
        if (!(error instanceof InstallerError) || error.code !== 'SSH_NO_ROOT') throw error;
        hasNoRoot = true;
        onNoRoot(error);
        return transport.exec(script, { ...options, root: false });
      }
    },
    close: () => transport.close(),
  };
}
