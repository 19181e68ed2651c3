/** Names of chains that kube-proxy, kubelet, the CNI plugins and flannel make. */
const chain = /^(KUBE-|CNI-|FLANNEL-)/;

/**
 * The output of iptables-save without the chains of Kubernetes and without the rules that are in them, jump to them or were
 * left by their makers. Undefined where there is nothing of theirs. Tables, policies and all other rules stay.
 */
export function withoutKubernetesRules(saved: string): string | undefined {
  const lines = saved.split('\n');
  const kept = lines.filter((line) => !isKubernetes(line));
  return kept.length === lines.length ? undefined : kept.join('\n');
}

function isKubernetes(line: string): boolean {
  if (line.startsWith(':')) return chain.test(line.slice(1));
  if (!line.startsWith('-A ')) return false;
  const words = line.split(' ');
  if (chain.test(words[1] ?? '')) return true;
  const jump = words.findIndex((word) => word === '-j' || word === '-g');
  return jump !== -1 && chain.test(words[jump + 1] ?? '');
}
