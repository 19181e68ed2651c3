import { describe, expect, it } from 'vitest';
import { createLoginGate } from './login-gate.ts';

const refused = { server: 'registry.example.com', code: 'REFUSED', remedy: 'check the password' };

/** Sends through a gate, `count` at once, to a server that gives these answers in turn, then the last one. */
async function through(
  answers: readonly number[],
  count: number,
): Promise<{ most: number; sent: number; ended: string[] }> {
  const gate = createLoginGate(refused);
  let [active, most, sent] = [0, 0, 0];
  const send = async (): Promise<{ status: number }> => {
    active += 1;
    most = Math.max(most, active);
    const status = answers[Math.min(sent, answers.length - 1)] ?? 200;
    sent += 1;
    await new Promise((resolve) => setTimeout(resolve, 1));
    active -= 1;
    if (status === 0) throw new Error('no answer');
    return { status };
  };
  const results = await Promise.allSettled(Array.from({ length: count }, () => gate.show(send)));
  const ended = results.map((result) =>
    result.status === 'fulfilled' ? `${result.value.status}` : ((result.reason as { code?: string }).code ?? 'error'),
  );
  return { most, sent, ended };
}

describe('createLoginGate', () => {
  it('shows a wrong login three times, one after the other, and then to nobody', async () => {
    const { most, sent, ended } = await through([401], 16);

    expect({ most, sent }).toEqual({ most: 1, sent: 3 });
    expect(ended).toEqual(['401', '401', '401', ...Array<string>(13).fill('REFUSED')]);
  });

  it('lets all go that come after one was accepted', async () => {
    const gate = createLoginGate(refused);
    await gate.show(() => Promise.resolve({ status: 404 }));
    let active = 0;
    const both = Array.from({ length: 2 }, () =>
      gate.show(async () => {
        active += 1;
        await new Promise((resolve) => setTimeout(resolve, 5));
        return { status: active };
      }),
    );

    expect(await Promise.all(both)).toEqual([{ status: 2 }, { status: 2 }]);
  });

  it.each([
    ['a right that is lacking at first', [401, 401, 200], ['401', '401', '200', '200', '200']],
    ['too much to do', [429, 503, 401, 200], ['429', '503', '401', '200', '200']],
    ['no answer at first', [0, 0, 0, 0, 200], ['error', 'error', 'error', 'error', '200']],
  ])('goes on after %s', async (_name, answers, ended) => {
    expect((await through(answers, 5)).ended).toEqual(ended);
  });

  it('counts no refusal once the login was accepted', async () => {
    expect((await through([200, 401], 6)).ended).toEqual(['200', ...Array<string>(5).fill('401')]);
  });
});
