import type { Stack } from "./stack.ts";

export const REFUSED: readonly Stack[] = [
  {
    name: "a search engine with its limits",
    text: `name: search
services:
  es:
    image: elasticsearch:8.14.0
    environment: ["discovery.type=single-node", "ES_JAVA_OPTS=-Xms512m -Xmx512m"]
    ulimits: { memlock: { soft: -1, hard: -1 }, nofile: 65536 }
    mem_limit: 1g
    volumes: ["es:/usr/share/elasticsearch/data"]
  kibana:
    image: kibana:8.14.0
    links: [es]
    ports: ["5601:5601"]
volumes: { es: { driver: local } }
`,
    refused: ["compose.yaml:11: services.kibana.links: is not supported"],
  },
  {
    name: "an edge proxy that reads the engine's socket",
    text: `name: edge
services:
  traefik:
    image: traefik:v3.1
    command: ["--providers.docker=true"]
    ports: ["80:80", "443:443"]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]
    labels: ["traefik.enable=true"]
    networks: [web]
    security_opt: [no-new-privileges:true]
networks: { web: { external: true } }
`,
    refused: [
      "compose.yaml:11: networks: is not supported",
      "compose.yaml:8: services.traefik.labels: is not supported",
      "compose.yaml:9: services.traefik.networks: is not supported",
      "compose.yaml:10: services.traefik.security_opt: is not supported",
      "compose.yaml:6: services.traefik.ports[0]: port 80 is the gateways', which route by host",
      "compose.yaml:6: services.traefik.ports[1]: port 443 is the gateways', which route by host",
    ],
  },
  {
    name: "an object store",
    text: `name: objects
services:
  minio:
    image: minio/minio:latest
    command: server /data --console-address ":9001"
    ports: ["9000:9000", "9001:9001"]
    environment: [MINIO_ROOT_USER=root, MINIO_ROOT_PASSWORD]
    volumes: ["data:/data"]
    healthcheck: { test: ["CMD", "mc", "ready", "local"], interval: 5, timeout: 5s, retries: 5 }
volumes: { data: {} }
`,
    refused: ["compose.yaml:9: services.minio.healthcheck.interval: must be string"],
  },
  {
    name: "a message broker with a name of its own",
    text: `name: broker
services:
  rabbitmq:
    image: rabbitmq:3-management
    hostname: rabbit
    container_name: rabbitmq
    ports: ["5672:5672", "127.0.0.1:15672:15672"]
    volumes: ["mq:/var/lib/rabbitmq/"]
    logging: { driver: json-file }
volumes: { mq: {} }
`,
    refused: [
      "compose.yaml:5: services.rabbitmq.hostname: is not supported",
      "compose.yaml:6: services.rabbitmq.container_name: is not supported",
      "compose.yaml:9: services.rabbitmq.logging: is not supported",
      "compose.yaml:7: services.rabbitmq.ports[1]: is bound to loopback",
    ],
  },
  {
    name: "a media server that has devices and the host's network",
    text: `name: media
services:
  jellyfin:
    image: jellyfin/jellyfin:10
    network_mode: host
    devices: ["/dev/dri:/dev/dri"]
    group_add: ["109"]
    volumes: ["config:/config", "cache:/cache", "/srv/media:/media:ro"]
    restart: on-failure
    init: true
volumes: { config: {}, cache: {} }
`,
    refused: [
      "compose.yaml:5: services.jellyfin.network_mode: is not supported",
      "compose.yaml:9: services.jellyfin.restart: on-failure is not supported",
    ],
  },
  {
    name: "a name server that needs capabilities",
    text: `name: names
services:
  pihole:
    image: pihole/pihole:2024.07.0
    ports: ["53:53/tcp", "53:53/udp", "8082:80"]
    cap_add: [NET_ADMIN]
    dns: [127.0.0.1, 1.1.1.1]
    environment: { TZ: Europe/Berlin }
`,
    refused: ["compose.yaml:7: services.pihole.dns: is not supported"],
  },
  {
    name: "votes: two networks, and results",
    text: `name: vote
services:
  vote: { image: "dockersamples/vote", ports: ["5000:80"], networks: [front, back], depends_on: { redis: { condition: service_healthy } } }
  worker: { image: "dockersamples/worker", networks: [back] }
  redis: { image: "redis:alpine", healthcheck: { test: redis-cli ping, interval: 5s }, networks: [back] }
networks: { front: , back: }
`,
    refused: [
      "compose.yaml:6: networks: is not supported",
      "compose.yaml:3: services.vote.networks: is not supported",
      "compose.yaml:4: services.worker.networks: is not supported",
      "compose.yaml:5: services.redis.networks: is not supported",
    ],
  },
  {
    name: "a mail server",
    text: `name: mail
services:
  mail:
    image: ghcr.io/docker-mailserver/docker-mailserver:14
    domainname: example.com
    env_file: { path: mail.env }
    ports: ["25:25", "465:465", "993:993"]
    volumes: ["mail:/var/mail", "./config:/tmp/docker-mailserver"]
    stop_grace_period: "60"
    pids_limit: -1
volumes: { mail: }
`,
    refused: ["compose.yaml:6: services.mail.env_file: must be string"],
  },
  {
    name: "swarm's own words",
    text: `name: swarm
services:
  app:
    image: nginx:1.27
    deploy:
      mode: global
      replicas: 2
      placement: { constraints: [node.role == worker] }
      restart_policy: { condition: any, max_attempts: 3 }
      update_config: { parallelism: 1, order: start-first }
      labels: { a: b }
  init:
    image: busybox
    command: "true"
    deploy: { replicas: 2, resources: { limits: { memory: 64m } } }
  after: { image: busybox, command: sleep 1d, depends_on: { init: { condition: service_completed_successfully } } }
`,
    refused: [
      "compose.yaml:8: services.app.deploy.placement: is not supported",
      "compose.yaml:11: services.app.deploy.labels: is not supported",
      "compose.yaml:9: services.app.deploy.restart_policy.max_attempts: is not supported",
      "compose.yaml:10: services.app.deploy.update_config.parallelism: is not supported",
      "compose.yaml:6: services.app.deploy.mode: global goes without a number of replicas",
      "compose.yaml:15: services.init.deploy.replicas: another service waits until this one has succeeded: it is a job, which has none",
    ],
  },
  {
    name: "analytics of which one name is no name",
    text: `name: stats
services:
  plausible_events_db:
    image: clickhouse/clickhouse-server:24
    volumes: ["events:/var/lib/clickhouse"]
    ulimits: { nofile: { soft: 262144, hard: 262144 } }
  plausible:
    image: ghcr.io/plausible/community-edition:v2.1
    command: sh -c "/entrypoint.sh db migrate && /entrypoint.sh run"
    depends_on: [plausible_events_db]
    ports: ["8000:8000"]
volumes: { events: }
`,
    refused: [
      "compose.yaml:3: services.plausible_events_db: ",
      "compose.yaml:10: services.plausible.after[0]: ",
    ],
  },
  {
    name: "profiles, extends and includes",
    text: `name: parts
include: [other.yaml]
services:
  base: { image: "nginx:1" }
  web: { extends: { service: base }, image: "nginx:1", profiles: [debug] }
`,
    refused: [
      "compose.yaml:2: include: is not supported",
      "compose.yaml:5: services.web.extends: is not supported",
      "compose.yaml:5: services.web.profiles: is not supported",
    ],
  },
];
