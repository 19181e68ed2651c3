import { must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';

/** What a distribution's package would leave: containerd and runc in /usr/bin, a unit, and a configuration of the owner's. */
export async function installOwnContainerd(host: LabHost, mirror: string): Promise<void> {
  const base = `http://${mirror}:8080/github.com`;
  const unit =
    '[Service]\nType=notify\nExecStart=/usr/bin/containerd\nDelegate=yes\nKillMode=process\n[Install]\nWantedBy=multi-user.target\n';
  await must(
    host,
    `set -e
curl -fsSL ${base}/containerd/containerd/releases/download/v2.2.3/containerd-2.2.3-linux-amd64.tar.gz | tar -xz -C /usr
curl -fsSL -o /usr/bin/runc ${base}/opencontainers/runc/releases/download/v1.4.3/runc.amd64
chmod 755 /usr/bin/runc
mkdir -p /etc/containerd
printf 'version = 3\\n# of the owner\\n' >/etc/containerd/config.toml
printf '${unit.replaceAll('\n', '\\n')}' >/lib/systemd/system/containerd.service
systemctl daemon-reload
systemctl --quiet enable --now containerd`,
  );
}

/** Files of the owner in the places of those that a cluster brings, with modes and owners of their own, and a link. */
export async function placeOwnTools(host: LabHost): Promise<void> {
  await must(
    host,
    `set -e
mkdir -p /opt/tools /opt/cni/bin /etc/containerd/certs.d/registry.k8s.io /usr/local/sbin
printf '#!/bin/sh\\necho own kubectl\\n' >/usr/local/bin/kubectl
chmod 750 /usr/local/bin/kubectl
chown 33:33 /usr/local/bin/kubectl
printf '#!/bin/sh\\necho own crictl\\n' >/opt/tools/crictl
chmod 755 /opt/tools/crictl
ln -s /opt/tools/crictl /usr/local/bin/crictl
printf 'own bridge' >/opt/cni/bin/bridge
printf 'own flannel' >/opt/cni/bin/flannel
printf 'own plugin' >/opt/cni/bin/own
chmod 700 /opt/cni/bin/*
printf '# own\\n' >/etc/crictl.yaml
chmod 600 /etc/crictl.yaml
printf 'server = "https://own.example"\\n' >/etc/containerd/certs.d/registry.k8s.io/hosts.toml
chmod 640 /etc/containerd/certs.d/registry.k8s.io/hosts.toml`,
  );
}
