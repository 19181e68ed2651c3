import { messageOf } from '../errors.ts';
import { OciError } from './oci-errors.ts';

/** What was being done, for the message: `reading registry.k8s.io/pause:3.10`. */
export interface Doing {
  readonly what: string;
  /** The registry, as the reference names it, with the address that was asked where that is another. */
  readonly registry: string;
}

/** One entry of the error body of the distribution specification. */
export interface RegistryErrorEntry {
  readonly code: string;
  readonly message: string;
}

/** The entries of an error body; empty where it is none (HTML of a proxy, for example). */
export function parseErrorBody(text: string): RegistryErrorEntry[] {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    if (!Array.isArray(errors)) return [];
    return errors.map((item: { code?: unknown; message?: unknown } | null) => ({
      code: typeof item?.code === 'string' ? item.code : 'UNKNOWN',
      message: typeof item?.message === 'string' ? item.message : '',
    }));
  } catch {
    return [];
  }
}

/** Milliseconds that a Retry-After header asks for, seconds or date; undefined where it asks for nothing that can be read. */
export function parseRetryAfter(header: string | null | undefined, now: number): number | undefined {
  if (header === null || header === undefined || header.trim() === '') return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly contentType: string;
  readonly retryAfterMs: number | undefined;
  readonly isAnonymous: boolean;
  readonly mayPass?: boolean | undefined;
}

/** The error for a status that was not expected. */
export function statusError({ what, registry }: Doing, answer: Answer): OciError {
  const { status, text, retryAfterMs, isAnonymous, mayPass } = answer;
  const entries = parseErrorBody(text);
  const said = entries.map(({ code, message }) => `${code}${message === '' ? '' : ` (${message})`}`).join(', ');
  const asHtml =
    entries.length === 0 && looksLikeHtml(answer) ? ' with a web page, so something else may answer in its place' : '';
  const pause = (retryAfterMs ?? 0) > 0 ? `, and asks to wait ${Math.ceil((retryAfterMs ?? 0) / 1000)} s` : '';
  const message = `${what}: ${registry} answered ${status}${said === '' ? asHtml : `: ${said}`}${pause}`;
  const { code, remedy } = classify(status, registry, isAnonymous, entries);
  return new OciError({ code, message, remedy, status, retryAfterMs, mayPass });
}

function classify(
  status: number,
  registry: string,
  isAnonymous: boolean,
  entries: readonly RegistryErrorEntry[],
): { code: string; remedy: string } {
  if (entries.some(({ code }) => code === 'DIGEST_INVALID')) {
    return { code: 'OCI_WRONG_DIGEST', remedy: 'verify the source: what was sent is not what its digest says' };
  }
  if (entries.some(({ code }) => /^(?:MANIFEST_)?BLOB_UNKNOWN$|^MANIFEST_UNKNOWN$/.test(code)) && status !== 404) {
    return {
      code: 'OCI_MANIFEST_INCOMPLETE',
      remedy: 'push everything that the manifest refers to, all platforms of an index too',
    };
  }
  switch (status) {
    case 401:
      return {
        code: 'OCI_UNAUTHORIZED',
        remedy: isAnonymous ? `log in to ${registry}` : `check user and password for ${registry}`,
      };
    case 403:
      return {
        code: 'OCI_FORBIDDEN',
        remedy: 'give the account the right to this repository; some registries also want the project made first',
      };
    case 404:
      return {
        code: 'OCI_NOT_FOUND',
        remedy: 'check the name and the tag; some registries want the project made first',
      };
    case 413:
      return {
        code: 'OCI_TOO_LARGE',
        remedy: `raise the limit for request bodies of the proxy in front of ${registry} (nginx: client_max_body_size): smaller chunks did not go through either`,
      };
    case 429:
      return {
        code: 'OCI_TOO_MANY_REQUESTS',
        remedy: 'log in for a higher limit, use a mirror, or lower the number of jobs',
      };
    default:
      return status >= 500 || status === 408
        ? { code: 'OCI_SERVER_ERROR', remedy: `look at the log of ${registry}, and try again` }
        : {
            code: 'OCI_UNEXPECTED_STATUS',
            remedy: `check that ${registry} is a registry of the distribution specification`,
          };
  }
}

/** The error for an answer that is a web page where a registry answers with JSON. */
export function notARegistry({ what, registry }: Doing, contentType: string): OciError {
  return new OciError({
    code: 'OCI_NOT_A_REGISTRY',
    message: `${what}: ${registry} answered with ${contentType === '' ? 'something' : contentType} that no registry sends`,
    remedy: 'check host and port, and whether a proxy or a login page answers in its place',
  });
}

/** Whether an answer is meant for a browser. */
export function looksLikeHtml({ contentType, text }: { contentType: string; text: string }): boolean {
  return contentType.startsWith('text/html') || /^\s*<(?:!doctype|html)/i.test(text);
}

const certificateCodes =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/;

/** The error for a request that got no answer. */
export function connectionError({ what, registry }: Doing, error: unknown): OciError {
  if (error instanceof OciError) return error;
  const code = codeOf(error);
  const message = `${what}: ${describe(registry, code)}: ${messageOf(error)}`;
  if (certificateCodes.test(code)) {
    return new OciError({
      code: 'OCI_TLS',
      message,
      remedy: `give the certificate of the authority that signed for ${registry}`,
      cause: error,
    });
  }
  if (isPlainHttpAnswer(code)) {
    return new OciError({
      code: 'OCI_TLS',
      message,
      remedy: `if ${registry} speaks plain HTTP, say so in its settings`,
      cause: error,
    });
  }
  if (code === 'ENOTFOUND') {
    return new OciError({
      code: 'OCI_UNKNOWN_HOST',
      message,
      remedy: 'check the name, and the DNS server',
      cause: error,
    });
  }
  const isLost =
    /^(?:ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/.test(code) ||
    /socket hang up|premature close/i.test(messageOf(error));
  return new OciError({
    code: isLost ? 'OCI_CONNECTION_LOST' : 'OCI_UNREACHABLE',
    message,
    remedy: `check that ${registry} runs and that this machine reaches it, through a proxy if there is one`,
    cause: error,
  });
}

/** Whether the other side spoke HTTP where TLS was expected. */
export function isPlainHttpAnswer(code: string): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_');
}

/** The system's code of an error, also of one that wraps it. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return typeof code === 'string' ? code : codeOf(cause);
}

function describe(registry: string, code: string): string {
  return certificateCodes.test(code) ? `the certificate of ${registry} is not trusted` : `no answer from ${registry}`;
}

/** Nothing came for too long. */
export function stalled({ what, registry }: Doing, stallMs: number): OciError {
  return new OciError({
    code: 'OCI_STALLED',
    message: `${what}: nothing came from ${registry} for ${Math.round(stallMs / 1000)} s`,
    remedy: 'run it again: it goes on where it stopped',
  });
}
