#!/bin/sh
# The floor of bench:create: what a careful administrator would write, a plain parallel shell script over SSH. It does the
# steps of cluster-create with the same downloads from the same mirror, and knows nothing: no checks, no second run.
# Wants: FILES (rendered files), KEY, KNOWN_HOSTS, CONTROL_PLANE, WORKERS (name=address ...), IMAGES_CONTROL_PLANE, IMAGES_WORKER.
set -eu
mark() { [ -z "${MARKS:-}" ] || echo "$(date +%s.%N) $1" >>"$MARKS"; }
mark start
on() { a=$1; shift; ssh -q -i "$KEY" -o UserKnownHostsFile="$KNOWN_HOSTS" -o ControlMaster=auto -o ControlPath="$FILES/ssh-%h" -o ControlPersist=60 "root@$a" "$@"; }

prepare() {
  tar -C "$FILES/host" -cf - . | on "$1" 'tar -C / --no-same-owner -xf -'
  on "$1" sh -eu <<END
sysctl -q -p /etc/sysctl.d/zz-installer.conf
swapoff -a
cat /etc/hosts.cluster >> /etc/hosts
cd /var/tmp
get() { curl -fsSL -o "\$1" "\$2"; echo "\$3  \$1" | sha256sum -c --quiet; }
$(cat "$FILES/downloads")
tar -xzf containerd -C /usr/local
install -m 755 runc /usr/local/sbin/runc
mkdir -p /opt/cni/bin && tar -xzf cni-plugins -C /opt/cni/bin
tar -xzf crictl -C /usr/local/bin
install -m 755 kubeadm kubelet kubectl /usr/local/bin
rm -f containerd runc cni-plugins crictl kubeadm kubelet kubectl
systemctl daemon-reload
systemctl -q enable --now containerd
systemctl -q enable kubelet
until crictl version >/dev/null 2>&1; do sleep 0.2; done
for i in $2; do crictl pull \$i >/dev/null; done
END
}

jobs=
for host in $WORKERS; do prepare "${host#*=}" "$IMAGES_WORKER" & jobs="$jobs $!"; done
prepare "${CONTROL_PLANE#*=}" "$IMAGES_CONTROL_PLANE"
for job in $jobs; do wait "$job"; done

mark prepared
cp=${CONTROL_PLANE#*=}
on "$cp" 'kubeadm init --config /etc/kubernetes/kubeadm-init.yaml >/var/log/kubeadm-init.log 2>&1'
mark 'kubeadm init'
K='kubectl --kubeconfig /etc/kubernetes/admin.conf'
on "$cp" "$K apply --server-side -f - >/dev/null" <"$FILES/flannel.yaml"
mark 'network applied'
token=$(on "$cp" 'kubeadm token create --ttl 15m')
hash=$(on "$cp" 'openssl x509 -pubkey -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d " " -f 1')
jobs=
for host in $WORKERS; do
  sed "s/TOKEN/$token/; s/CA_HASH/sha256:$hash/" "$FILES/join-${host%%=*}.yaml" |
    on "${host#*=}" 'umask 077; cat >/run/join.yaml; kubeadm join --config /run/join.yaml >/var/log/kubeadm-join.log 2>&1; rm /run/join.yaml' & jobs="$jobs $!"
done
for job in $jobs; do wait "$job"; done
mark joined
for host in $WORKERS; do on "$cp" "$K wait --for=create node/${host%%=*} --timeout=60s >/dev/null && $K label node ${host%%=*} node-role.kubernetes.io/worker= >/dev/null"; done
on "$cp" "$K wait --for=condition=Ready nodes --all --timeout=180s >/dev/null"
mark 'nodes Ready'
on "$cp" "$K -n kube-system rollout status deployment/coredns --timeout=180s >/dev/null"
mark 'CoreDNS ready'
