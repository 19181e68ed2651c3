import { OciError } from './oci-errors.ts';

/** Lets a login be shown to one server. */
export interface LoginGate {
  /**
   * Sends a request that shows the login. Until it was accepted once, one goes at a time, and after three that were refused (401)
   * none goes at all: the error at once. A wrong password shown by all requests of a run locks the account.
   */
  show<T extends { readonly status: number }>(send: () => Promise<T>): Promise<T>;
}

/** Directories lock accounts after five wrong passwords and more; some servers answer 401 where an account lacks a right. */
const maxRefusals = 3;

/** What an error says of a login that is not shown any more. */
export interface RefusedLogin {
  readonly server: string;
  readonly code: string;
  readonly remedy: string;
}

/** A gate that nothing has gone through. */
export function createLoginGate({ server, code, remedy }: RefusedLogin): LoginGate {
  let isAccepted = false;
  let refusals = 0;
  let last: Promise<unknown> = Promise.resolve();

  const showInTurn = async <T extends { readonly status: number }>(send: () => Promise<T>): Promise<T> => {
    if (isAccepted) return send();
    if (refusals >= maxRefusals) {
      throw new OciError({
        code,
        message: `${server} refused the login ${refusals} times, so it is not shown again in this run`,
        remedy,
        status: 401,
      });
    }
    const answer = await send();
    if (answer.status === 401) refusals += 1;
    // One that has too much to do, or fails, has not looked at it.
    else if (answer.status < 500 && answer.status !== 429) isAccepted = true;
    return answer;
  };

  return {
    show(send) {
      if (isAccepted) return send();
      const turn = last.then(() => showInTurn(send));
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}
