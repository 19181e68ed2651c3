import { ignoredOnAnyHost, type Ignored } from './support.ts';

/** What prepare and restore-host together leave changed on a host, each with why. */
export const ignoredAfterRestore: readonly Ignored[] = [
  ...ignoredOnAnyHost,
  {
    path: /^\/var\/log\/(apt|dpkg\.log|alternatives\.log)(\/|$)/,
    reason: 'logs of the package manager: what happened stays told',
  },
  {
    path: /^\/var\/lib\/apt\/(lists|extended_states)(\/|$)/,
    reason: 'the index of the repositories, newer than before, and notes of apt on why a package came',
  },
  {
    path: /^\/var\/lib\/dpkg\/(status|available|diversions|statoverride)-old$/,
    reason: 'dpkg keeps its database of before its last act',
  },
  {
    path: /^\/var\/lib\/dpkg\/(lock|lock-frontend|triggers\/Lock|triggers\/Unincorp)$/,
    reason: 'lock files of dpkg, which are empty',
  },
  {
    path: /^\/etc\/(passwd|shadow|group|gshadow)-$/,
    reason: 'copies of before the last change of an account: packages make accounts of their own, and take them away',
  },
  { path: /^\/var\/lib\/ucf\/(hashfile|registry)\.\d+$/, reason: 'older notes of ucf on configurations of packages' },
  { path: /^\/var\/cache\/(apt|debconf|ldconfig)(\/|$)/, reason: 'caches of the package manager and of the linker' },
  {
    path: /^\/etc\/ld\.so\.cache$/,
    reason: 'the linker makes it anew after each installation, from the same libraries',
  },
];
