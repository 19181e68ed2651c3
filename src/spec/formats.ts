import { formatCidr, parseCidr, parseIp } from './cidr.ts';
import { type Endpoint, type Taint, taintEffects } from './config.ts';
import { findNearest } from './nearest.ts';

/** Says what is wrong with a text, or undefined where nothing is. */
export type Check = (text: string) => string | undefined;

const dnsLabel = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const qualifiedName = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;

/** DNS label of RFC 1123, at most 40 characters so that names made from it stay within 63. */
export const checkClusterName: Check = (text) => {
  if (text.length > 40) return `must have at most 40 characters; this has ${text.length}`;
  if (dnsLabel.test(text)) return undefined;
  return `"${text}" must be lowercase letters, digits and "-", beginning and ending with a letter or digit`;
};

/** Kubernetes node name: a DNS subdomain of RFC 1123, here at most 63 characters so that it also fits a label value. */
export const checkHostName: Check = (text) => {
  if (text.length > 63) return `must have at most 63 characters; this has ${text.length}`;
  if (isDnsSubdomain(text)) return undefined;
  return `"${text}" must be lowercase letters, digits, "-" and ".", each part between dots beginning and ending with a letter or digit`;
};

function isDnsSubdomain(text: string): boolean {
  return text.length > 0 && text.length <= 253 && text.split('.').every((part) => dnsLabel.test(part));
}

/** An IP address, or a DNS name in any letter case. */
export const checkAddress: Check = (text) => {
  if (parseIp(text) !== undefined) return undefined;
  const looksNumeric = /^[\d.]+$/.test(text) || text.includes(':');
  if (!looksNumeric && isDnsSubdomain(text.toLowerCase())) return undefined;
  return `"${text}" is neither an IP address nor a DNS name (no port, no brackets, no scheme)`;
};

export const checkIp: Check = (text) => (parseIp(text) === undefined ? `"${text}" is not an IP address` : undefined);

/** As the kernel takes it (dev_valid_name), without the signs that would need quoting. */
export const checkInterfaceName: Check = (text) =>
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(text) ? undefined : `"${text}" is not the name of a network interface`;

export const checkCidr: Check = (text) => {
  const cidr = parseCidr(text);
  if (cidr === undefined) return `"${text}" is not a network in CIDR form, such as 10.244.0.0/16`;
  const ip = parseIp(text.split('/')[0] ?? '');
  if (ip?.value === cidr.first) return undefined;
  return `"${text}" is an address inside a network; did you mean "${formatCidr(cidr)}"?`;
};

/** Kubernetes release name; the catalog holds releases only, so no pre-release suffix. */
export const checkKubernetesVersion: Check = (text) => {
  if (/^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/.test(text)) return undefined;
  const hint = /^\d+\.\d+\.\d+$/.test(text) ? `; did you mean "v${text}"?` : '';
  return `"${text}" is not a version of the form vX.Y.Z${hint}`;
};

/** Version as the releases of containerd are named: no leading v. */
export const checkContainerdVersion: Check = (text) => {
  if (/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(text)) return undefined;
  const hint = /^v\d+\.\d+\.\d+/.test(text) ? `; did you mean "${text.slice(1)}"?` : '';
  return `"${text}" is not a version of the form X.Y.Z${hint}`;
};

/** `name` or `prefix/name`, as Kubernetes requires of label and taint keys (apimachinery, IsQualifiedName). */
export const checkLabelKey: Check = (text) => {
  const slash = text.indexOf('/');
  const name = text.slice(slash + 1);
  if (slash >= 0 && !isDnsSubdomain(text.slice(0, slash))) {
    return `the part of "${text}" before "/" must be a DNS name in lowercase`;
  }
  if (name.length > 63) return `the name in "${text}" must have at most 63 characters; this has ${name.length}`;
  if (qualifiedName.test(name)) return undefined;
  return `the name in "${text}" must be letters, digits, "-", "_" and ".", beginning and ending with a letter or digit`;
};

/** Label or taint value: empty, or as the name of a key (apimachinery, IsValidLabelValue). */
export const checkLabelValue: Check = (text) => {
  if (text.length > 63) return `must have at most 63 characters; this has ${text.length}`;
  if (text === '' || qualifiedName.test(text)) return undefined;
  return `"${text}" must be letters, digits, "-", "_" and ".", beginning and ending with a letter or digit`;
};

export const checkTaint: Check = (text) => {
  const taint = splitTaint(text);
  if (taint === undefined) return `"${text}" is not of the form key=value:Effect or key:Effect`;
  const wrongPart = checkLabelKey(taint.key) ?? checkLabelValue(taint.value);
  if (wrongPart !== undefined) return wrongPart;
  if (taintEffects.some((effect) => effect === taint.effect)) return undefined;
  const nearest = findNearest(taint.effect, taintEffects);
  const hint = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  return `"${taint.effect}" is not a taint effect (${taintEffects.join(', ')})${hint}`;
};

function splitTaint(text: string): { key: string; value: string; effect: string } | undefined {
  const parts = /^([^=:]+)(?:=([^=:]*))?:([^=:]+)$/.exec(text);
  if (parts?.[1] === undefined || parts[3] === undefined) return undefined;
  return { key: parts[1], value: parts[2] ?? '', effect: parts[3] };
}

/** Reads a taint that passed checkTaint. */
export function parseTaint(text: string): Taint {
  const taint = splitTaint(text);
  const effect = taintEffects.find((candidate) => candidate === taint?.effect);
  if (taint === undefined || effect === undefined) throw new TypeError(`not a taint: ${text}`);
  return { key: taint.key, value: taint.value, effect };
}

/** `host`, `host:port`, an IPv6 address, or `[IPv6]:port`. */
export const checkEndpoint: Check = (text) =>
  parseEndpoint(text, 1) === undefined
    ? `"${text}" is not a host or IP address with an optional port, such as 10.0.0.10:6443 or [fd00::10]:6443`
    : undefined;

/** Reads an endpoint; undefined where it is malformed. */
export function parseEndpoint(text: string, defaultPort: number): Endpoint | undefined {
  if (parseIp(text) !== undefined) return { host: text, port: defaultPort };
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([1-9]\d{0,4}))?$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = parts?.[3] === undefined ? defaultPort : Number(parts[3]);
  if (host === undefined || port > 65_535) return undefined;
  if (parts?.[1] !== undefined && parseIp(host)?.family !== 6) return undefined;
  return checkAddress(host) === undefined ? { host, port } : undefined;
}

/** Writes `host:port`, IPv6 in brackets. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.host.includes(':') ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

/** A registry or download host with an optional port, as it stands in an image reference or URL: no scheme, no path. */
export const checkServerName: Check = (text) => {
  if (text.includes('://') || text.includes('/')) return `"${text}" must be a host name only: no scheme, no path`;
  return parseEndpoint(text, 1) === undefined ? `"${text}" is not a host name with an optional port` : undefined;
};

/** An http or https URL, optionally with a path; never with credentials, query or fragment. */
export const checkBaseUrl: Check = (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    return `"${text}" is not a URL beginning with http:// or https://`;
  }
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
  if (url.search !== '' || url.hash !== '') return `"${text}" must not have a query or fragment`;
  return undefined;
};

/** Never quotes the text: it may be a secret that was written in the wrong place. */
export const checkEnvironmentName: Check = (text) =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)
    ? undefined
    : 'must be the name of an environment variable: letters, digits and "_", not beginning with a digit';

/** A path that can be one word of a file: not empty, no line breaks or NUL. */
export const checkPath: Check = (text) => {
  if (text === '') return 'must not be empty';
  return /\p{Cc}/u.test(text) ? 'must not hold control characters' : undefined;
};

/** POSIX portable user name, as useradd accepts it. */
export const checkUserName: Check = (text) =>
  /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(text) ? undefined : `"${text}" is not a user name`;
