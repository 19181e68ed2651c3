const begin = '# begin of the installer: names of the cluster';
const end = '# end of the installer';

/** Sets, or with no lines removes, the marked block of /etc/hosts; everything around it stays as it is. */
export function editHostsBlock(content: string, lines: readonly string[]): string {
  const pattern = new RegExp(`^${begin}\\n[\\s\\S]*?^${end}(\\n|$)`, 'm');
  const block = lines.length === 0 ? '' : `${begin}\n${lines.join('\n')}\n${end}\n`;
  if (pattern.test(content)) return content.replace(pattern, () => block);
  const separator = block === '' || content === '' || content.endsWith('\n') ? '' : '\n';
  return `${content}${separator}${block}`;
}
