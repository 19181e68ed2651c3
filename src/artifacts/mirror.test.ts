import { describe, expect, it } from 'vitest';
import { mirrorUrl } from './mirror.ts';

describe('mirrorUrl', () => {
  const mirrors = {
    'dl.k8s.io': 'http://10.0.0.5:8080/dl.k8s.io',
    'github.com': 'https://mirror.example.com/',
    'downloads.example.com:8443': 'http://10.0.0.5',
  };

  it.each([
    [
      'https://dl.k8s.io/v1.36.3/bin/linux/amd64/kubeadm',
      'http://10.0.0.5:8080/dl.k8s.io/v1.36.3/bin/linux/amd64/kubeadm',
    ],
    ['https://github.com/a/b.tgz?x=1', 'https://mirror.example.com/a/b.tgz?x=1'],
    ['https://downloads.example.com:8443/a', 'http://10.0.0.5/a'],
    ['https://downloads.example.com/a', 'https://downloads.example.com/a'],
    ['https://get.helm.sh/a', 'https://get.helm.sh/a'],
    ['https://constructor/a', 'https://constructor/a'],
  ])('makes of %s', (url, mirrored) => {
    expect(mirrorUrl(url, mirrors)).toBe(mirrored);
  });

  it.each([{}, mirrors])('takes no URL that holds a user or password, and does not repeat it', (given) => {
    const act = (): string => mirrorUrl('https://me:s3cret@dl.k8s.io/a', given);

    expect(act).toThrow(
      expect.objectContaining({ code: 'URL_HOLDS_LOGIN', message: expect.not.stringContaining('s3cret') as string }),
    );
    expect(act).toThrow('dl.k8s.io');
  });

  it('leaves every URL as it is without mirrors', () => {
    expect(mirrorUrl('https://dl.k8s.io/a%20b', {})).toBe('https://dl.k8s.io/a%20b');
  });
});
