import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { parseAllDocuments, stringify } from 'yaml';
import { readAsset } from '../assets.ts';
import { InternalError } from '../errors.ts';
import { fillTemplate } from '../lib/template.ts';
import type { Endpoint } from '../spec/config.ts';

export interface FlannelInput {
  readonly podSubnets: readonly string[];
  /** The API server. */
  readonly endpoint: Endpoint;
  /** References of flannel and of its CNI plugin. */
  readonly images: readonly string[];
}

/** cniVersion as flannel's own manifest has it: its plugin knows no later one. */
const cniConfig = {
  name: 'cbr0',
  cniVersion: '0.3.1',
  plugins: [
    { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

/**
 * flannel's objects. The daemon takes the interface that holds the node's address (`--iface` accepts an address), so hosts
 * with several interfaces need no setting.
 */
export function renderFlannel(input: FlannelInput): string {
  const plugin = input.images.find((image) => image.includes('flannel-cni-plugin'));
  const daemon = input.images.find((image) => image !== plugin);
  if (plugin === undefined || daemon === undefined) throw new InternalError('the catalog names no images of flannel');
  const ipv6 = input.podSubnets.find((subnet) => isIPv6(subnet.split('/')[0] ?? ''));
  const ipv4 = input.podSubnets.find((subnet) => subnet !== ipv6);
  const network = {
    ...(ipv4 === undefined ? { EnableIPv4: false } : { Network: ipv4 }),
    ...(ipv6 === undefined ? {} : { EnableIPv6: true, IPv6Network: ipv6 }),
    Backend: { Type: 'vxlan' },
  };
  const text = fillTemplate(readAsset('manifests/flannel/flannel.yaml'), {
    cniConfig: JSON.stringify(cniConfig),
    networkConfig: JSON.stringify(network),
    configDigest: createHash('sha256')
      .update(JSON.stringify([cniConfig, network]))
      .digest('hex')
      .slice(0, 16),
    pluginImage: plugin,
    daemonImage: daemon,
    apiHost: JSON.stringify(input.endpoint.host),
    apiPort: JSON.stringify(String(input.endpoint.port)),
  });
  // Parsed and written again: a template that is no YAML is found here, not by the API server.
  return parseAllDocuments(text)
    .map((document) => stringify(document.toJSON(), { lineWidth: 0 }))
    .join('---\n');
}
