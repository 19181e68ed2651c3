import type { MinorContent } from './content.ts';
import type { Component } from './downloads.ts';
import type { ImageRecipe } from './images.ts';
import { repositoryAndTag } from './registry-storage.ts';
import { flannelImages } from './versions.ts';

/** Built components that images are made of, for one Kubernetes minor. */
export interface ImageComponents {
  readonly kubernetes: Component;
  readonly etcd: Component;
  readonly coredns: Component;
  readonly pause: Component;
  readonly agnhost: Component;
  readonly flannel: Component;
  readonly flannelPlugin: Component;
}

/** Recipes for the images kubeadm asks for; an image that nobody here builds is an error. */
export function kubeadmImageRecipes(images: readonly string[], components: ImageComponents): ImageRecipe[] {
  return images.map((image) => {
    const { repository } = repositoryAndTag(image);
    const local = (name: string): Record<string, string> => ({ [name]: `/usr/local/bin/${name}` });
    switch (repository) {
      case 'kube-apiserver':
      case 'kube-controller-manager':
      case 'kube-scheduler':
        return { image, component: components.kubernetes, binaries: local(repository) };
      case 'kube-proxy':
        return { image, component: components.kubernetes, binaries: local(repository), tools: true };
      case 'etcd':
        return {
          image,
          component: components.etcd,
          binaries: { ...local('etcd'), ...local('etcdctl'), ...local('etcdutl') },
        };
      case 'coredns/coredns':
        return {
          image,
          component: components.coredns,
          binaries: { coredns: '/coredns' },
          settings: { entrypoint: ['/coredns'] },
        };
      case 'pause':
        return {
          image,
          component: components.pause,
          binaries: { pause: '/pause' },
          settings: { entrypoint: ['/pause'], user: '65535:65535' },
        };
      default:
        throw new Error(`kubeadm asks for ${image}, which the lab does not build`);
    }
  });
}

/** Recipes for the images of flannel and of test pods. */
export function extraImageRecipes(content: MinorContent, components: ImageComponents): ImageRecipe[] {
  const [flannel, flannelPlugin] = [flannelImages.daemon(components.flannel.version), flannelImages.plugin];
  return [
    {
      image: flannel,
      component: components.flannel,
      binaries: { flannel: '/opt/bin/flanneld' },
      tools: true,
      settings: { entrypoint: ['/opt/bin/flanneld'] },
    },
    { image: flannelPlugin, component: components.flannelPlugin, binaries: { flannel: '/flannel' }, tools: true },
    {
      image: content.agnhost,
      component: components.agnhost,
      binaries: { agnhost: '/agnhost' },
      tools: true,
      settings: { entrypoint: ['/agnhost'], cmd: ['pause'] },
    },
  ];
}
