import { connectionError, isPlainHttpAnswer, codeOf, statusError, type Doing } from './http-errors.ts';
import { OciError } from './oci-errors.ts';

/** Where a request for a file ended. */
export interface WebDoing extends Doing {
  /** Credentials of the cluster file went with it. */
  readonly hadLogin: boolean;
  /** The host that led on to this one; undefined where this is the one that was asked. */
  readonly ledBy?: string | undefined;
}

const servers = 'spec.artifacts.servers';

/** The same failures as of a registry; what to do about them is another matter for a server of files. */
export function webStatusError(
  doing: WebDoing,
  answer: Omit<Parameters<typeof statusError>[1], 'isAnonymous'>,
): OciError {
  const known = statusError(doing, { ...answer, isAnonymous: !doing.hadLogin });
  const { message, status } = known;
  switch (status) {
    case 401:
      return new OciError({ code: 'WEB_FILE_UNAUTHORIZED', message, remedy: loginRemedy(doing), status });
    case 403:
      return new OciError({
        code: 'WEB_FILE_FORBIDDEN',
        message,
        remedy: doing.hadLogin
          ? `give the account that ${servers} names for ${doing.registry} the right to read this`
          : `${loginRemedy(doing)}, if it wants any; else see why ${doing.registry} keeps this from everybody`,
        status,
      });
    case 407:
      return new OciError({
        code: 'WEB_FILE_PROXY',
        message,
        remedy: 'put user and password of the proxy into HTTPS_PROXY and HTTP_PROXY',
        status,
      });
    default:
      if (known.code !== 'OCI_UNEXPECTED_STATUS') return known;
      return new OciError({
        code: 'WEB_FILE_STATUS',
        message,
        remedy: 'check the address, and the mirror of that host in spec.artifacts.mirrors',
        status,
      });
  }
}

/** A page for people came where a file was asked for. */
export function pageInstead({ what, registry }: WebDoing): OciError {
  return new OciError({
    code: 'WEB_FILE_IS_PAGE',
    message: `${what}: ${registry} answered with a web page`,
    remedy: `open the address in a browser: a proxy or a login page may answer in its place; where ${registry} wants a login, give it in ${servers}`,
  });
}

/** The remedy where a server refuses the login that the cluster file has for it. */
export function checkCredentials(server: string): string {
  return `check the credentials of ${server} in ${servers}`;
}

function loginRemedy({ registry, hadLogin, ledBy }: WebDoing): string {
  if (hadLogin) return checkCredentials(registry);
  if (ledBy === undefined) return `give user and password, or a token, for ${registry} in ${servers}`;
  return `ask ${registry} itself, with a mirror for the host in spec.artifacts.mirrors: what proves who we are to ${ledBy} is not shown to another host`;
}

/** The error for a request that got no answer. */
export function webConnectionError(doing: WebDoing, error: unknown): OciError {
  const known = connectionError(doing, error);
  if (known.code !== 'OCI_TLS') return known;
  const { message, cause } = known;
  const remedy = isPlainHttpAnswer(codeOf(cause))
    ? `write http:// where ${doing.registry} has no TLS`
    : `give the certificate of the authority that signed for ${doing.registry}, as ca of it in ${servers}`;
  return new OciError({ code: 'WEB_FILE_TLS', message, remedy, cause });
}
