import { describe, expect, it } from 'vitest';
import { commentSwapEntries, restoreSwapEntries } from '../ops/fstab.ts';
import { editHostsBlock } from './hosts-block.ts';

describe('editHostsBlock', () => {
  const lines = ['10.0.0.1 cp1', '10.0.0.2 w1'];
  const block = '# begin of the installer: names of the cluster\n10.0.0.1 cp1\n10.0.0.2 w1\n# end of the installer\n';
  const texts: [string, string][] = [
    ['of a usual host', '127.0.0.1 localhost\n::1 localhost\n'],
    ['that is empty', ''],
    ['with empty lines at both ends', '\n\n127.0.0.1 localhost\n\n\n'],
    ['of one empty line', '\n'],
    ['with Windows line ends', '127.0.0.1 localhost\r\n'],
    ['with a comment like ours', '# end of the installers\n# begin\n'],
  ];

  it.each(texts)('adds the block behind a file %s', (_name, text) => {
    expect(editHostsBlock(text, lines)).toBe(`${text}${block}`);
  });

  it.each(texts)('changes nothing the second time in a file %s', (_name, text) => {
    const once = editHostsBlock(text, lines);

    expect(editHostsBlock(once, lines)).toBe(once);
  });

  it.each(texts)('gives the exact text back in a file %s', (_name, text) => {
    expect(editHostsBlock(editHostsBlock(text, lines), [])).toBe(text);
  });

  it.each(texts)('removes nothing from a file %s that never had a block', (_name, text) => {
    expect(editHostsBlock(text, [])).toBe(text);
  });

  it('ends a last line that had no end', () => {
    expect(editHostsBlock('127.0.0.1 localhost', lines)).toBe(`127.0.0.1 localhost\n${block}`);
  });

  it('replaces the lines where they stand, and leaves what others wrote before and after', () => {
    const text = `before\n${editHostsBlock('', ['10.0.0.9 old'])}after\n`;

    expect(editHostsBlock(text, lines)).toBe(`before\n${block}after\n`);
    expect(editHostsBlock(text, [])).toBe('before\nafter\n');
  });

  it('knows its block at the end of a file whose last line end was lost', () => {
    expect(editHostsBlock(`a\n${block.trimEnd()}`, [])).toBe('a\n');
  });
});

describe('swap entries of fstab', () => {
  const fstab = `# /etc/fstab
UUID=0a-1b /               ext4    errors=remount-ro 0 1
/dev/sda2 none swap sw 0 0
\t/swap.img\tnone\tswap\tsw\t0\t0
#/dev/sdb1 none swap sw 0 0
/dev/sdc1 /mnt/swap ext4 defaults 0 2
LABEL=swap /srv xfs defaults 0 0
`;

  it('are commented out by a mark of ours, and nothing else is touched', () => {
    expect(commentSwapEntries(fstab)).toBe(
      fstab.replace('/dev/sda2', '#installer-swap# /dev/sda2').replace('\t/swap.img', '#installer-swap# \t/swap.img'),
    );
  });

  it('are commented out once', () => {
    const once = commentSwapEntries(fstab);

    expect(commentSwapEntries(once)).toBe(once);
  });

  it.each([
    ['with swap', fstab],
    ['without swap', '/dev/sda1 / ext4 defaults 0 1\n'],
    ['without an end of the last line', '/dev/sda2 none swap sw 0 0'],
    ['that is empty', ''],
  ])('come back exactly in a file %s', (_name, text) => {
    expect(restoreSwapEntries(commentSwapEntries(text))).toBe(text);
  });

  it('that the user commented out stay so', () => {
    expect(restoreSwapEntries('#/dev/sda2 none swap sw 0 0\n')).toBe('#/dev/sda2 none swap sw 0 0\n');
  });
});
