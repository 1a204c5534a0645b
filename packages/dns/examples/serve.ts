import { openDns } from "@ployz/dns";

const dns = await openDns({
  listen: [{ address: "127.0.0.1", port: 0 }], // on a machine: its overlay address, port 53
  upstreams: [], // left out: the nameservers of /etc/resolv.conf
  overlay: "10.101.0.0/16",
});
dns.update({
  services: [
    {
      namespace: "prod",
      service: "web",
      instances: [
        { id: "prod/web/a1", address: "10.101.1.2", ports: { http: 8080 } },
        { id: "prod/web/b7", address: "10.101.2.2", ports: { http: 8080 } },
      ],
    },
  ],
});
console.log("listening on", dns.addresses);

export { dns };
