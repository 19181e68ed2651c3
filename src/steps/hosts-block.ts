const begin = '# begin of the installer: names of the cluster';
const end = '# end of the installer';

/** Sets, or with no lines removes, the marked block of /etc/hosts; everything around it stays as it is. */
export function editHostsBlock(content: string, lines: readonly string[]): string {
  const pattern = new RegExp(`\\n?${begin}\\n[\\s\\S]*?${end}\\n?`);
  const without = content.replace(pattern, '\n').replace(/^\n/, content.startsWith('\n') ? '\n' : '');
  const rest = without === '' || without.endsWith('\n') ? without : `${without}\n`;
  if (lines.length === 0) return pattern.test(content) ? rest : content;
  return `${rest}${begin}\n${lines.join('\n')}\n${end}\n`;
}
