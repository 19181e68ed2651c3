import { describe, expect, it } from 'vitest';
import { createOutputCollector } from './output.ts';

describe('createOutputCollector', () => {
  it('keeps characters whole that are split between pieces', () => {
    const seen: string[] = [];
    const collector = createOutputCollector(100, (text) => seen.push(text));
    for (const byte of Buffer.from('a€b')) collector.push(Buffer.of(byte));
    expect(collector.end()).toBe('a€b');
    expect(seen).toEqual(['a', '€', 'b']);
    expect(collector.bytes).toBe(5);
  });

  it('keeps a byte order mark and shows an unfinished character', () => {
    const collector = createOutputCollector(100);
    collector.push(Buffer.from('\uFEFFx'));
    collector.push(Buffer.of(0xe2, 0x82));
    expect(collector.end()).toBe('\uFEFFx\uFFFD');
  });

  it('refuses what passes the bound and keeps what came before', () => {
    const collector = createOutputCollector(4);
    expect(collector.push(Buffer.from('1234'))).toBe(true);
    expect(collector.push(Buffer.from('5'))).toBe(false);
    expect(collector.end()).toBe('1234');
  });
});
