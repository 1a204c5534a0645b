/** Compose files in the shape of applications that are run often. */
export interface Stack {
  readonly name: string;
  readonly text: string;
  /** Files beside it. */
  readonly files?: Readonly<Record<string, string>>;
  readonly variables?: string;
  /** Instances that a deploy would start, jobs too; absent: it is refused. */
  readonly starts?: readonly string[];
  /** Each problem: its line and its key. */
  readonly refused?: readonly string[];
}

export const STACKS: readonly Stack[] = [
  {
    name: "a weblog and its database",
    text: `name: blog
services:
  db:
    image: mariadb:11
    restart: unless-stopped
    environment:
      MARIADB_DATABASE: blog
      MARIADB_USER: blog
      MARIADB_PASSWORD: \${DB_PASSWORD:?name one}
      MARIADB_RANDOM_ROOT_PASSWORD: "1"
    volumes: ["db:/var/lib/mysql"]
  wordpress:
    image: wordpress:6-apache
    depends_on: [db]
    ports: ["8080:80"]
    restart: always
    environment:
      WORDPRESS_DB_HOST: db
      WORDPRESS_DB_PASSWORD: \${DB_PASSWORD}
      WORDPRESS_TABLE_PREFIX: \${PREFIX:-\${SITE:-wp}_}
    volumes: ["site:/var/www/html"]
volumes: { db: , site: }
`,
    variables: "DB_PASSWORD=geheim\n",
    starts: ["db", "wordpress"],
  },
  {
    name: "files to share, with a database, a cache and a cron of its own",
    text: `name: files
x-app: &app
  image: nextcloud:29
  restart: unless-stopped
  env_file: [app.env]
  volumes: ["data:/var/www/html"]
services:
  app:
    <<: *app
    depends_on:
      db: { condition: service_healthy }
      redis: { condition: service_started }
    ports: ["8081:80"]
  cron:
    <<: *app
    entrypoint: /cron.sh
  db:
    image: postgres:16-alpine
    environment: [POSTGRES_DB=nc, POSTGRES_PASSWORD=x]
    shm_size: 128mb
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U postgres"]
      interval: 10s
      timeout: 5s
      retries: 5
    volumes: ["pg:/var/lib/postgresql/data"]
  redis:
    image: redis:7-alpine
    command: redis-server --save 60 1 --loglevel warning
volumes: { data: {}, pg: {} }
`,
    files: { "app.env": "POSTGRES_HOST=db\nREDIS_HOST=redis\n" },
    starts: ["app", "cron", "db", "redis"],
  },
  {
    name: "a forge",
    text: `name: forge
services:
  server:
    image: gitea/gitea:1.22
    environment: { USER_UID: 1000, USER_GID: 1000, GITEA__database__DB_TYPE: postgres }
    volumes:
      - data:/data
      - /etc/timezone:/etc/timezone:ro
      - /etc/localtime:/etc/localtime:ro
    ports: ["3000:3000", "222:22"]
volumes: { data: {} }
`,
    refused: [
      "compose.yaml:8: services.server.volumes[1]: is a file or folder of the host",
      "compose.yaml:9: services.server.volumes[2]: is a file or folder of the host",
    ],
  },
  {
    name: "a workflow engine with workers",
    text: `name: flows
x-shared: &shared
  image: docker.n8n.io/n8nio/n8n:1
  environment: &env
    DB_TYPE: postgresdb
    EXECUTIONS_MODE: queue
    QUEUE_HEALTH_CHECK_ACTIVE: true
    N8N_PORT: 5678
  depends_on: [redis, postgres]
services:
  main:
    <<: *shared
    ports: ["5678:5678"]
    deploy: { resources: { limits: { cpus: 0.50, memory: 1g } } }
  worker:
    <<: *shared
    command: worker
    environment: { <<: *env, N8N_CONCURRENCY: 5 }
    deploy: { replicas: 3 }
  redis: { image: "redis:7", read_only: true, tmpfs: ["/data:size=64m"], cap_drop: [ALL] }
  postgres: { image: "postgres:16", volumes: ["pg:/var/lib/postgresql/data"], environment: [POSTGRES_PASSWORD=x] }
volumes: { pg: {} }
`,
    starts: ["main", "postgres", "redis", "worker", "worker", "worker"],
  },
  {
    name: "a social network: web, streaming and background jobs after a migration",
    text: `name: social
services:
  migrate:
    image: mastodon/mastodon:4
    command: bundle exec rails db:migrate
    env_file: .env.production
    restart: "no"
  web:
    image: mastodon/mastodon:4
    command: ["bundle", "exec", "puma", "-C", "config/puma.rb"]
    env_file: .env.production
    depends_on: { migrate: { condition: service_completed_successfully } }
    healthcheck: { test: ["CMD", "curl", "-fsS", "localhost:3000/health"], start_period: 1m }
    ports: ["3000:3000"]
    stop_grace_period: 30s
  streaming:
    image: mastodon/streaming:4
    env_file: .env.production
    ports: ["4000:4000"]
  sidekiq:
    image: mastodon/mastodon:4
    command: bundle exec sidekiq
    env_file: .env.production
    stop_signal: TERM
`,
    files: { ".env.production": "LOCAL_DOMAIN=example.test\nSECRET_KEY_BASE='a$b'\n" },
    starts: ["migrate", "sidekiq", "streaming", "web"],
  },
  {
    name: "metrics and their pages, with configuration beside the file",
    text: `name: metrics
services:
  prometheus:
    image: prom/prometheus:v2.53.0
    command: --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.retention.time=30d
    user: "65534:65534"
    volumes:
      - ./prometheus.yml:/etc/prometheus/prometheus.yml:ro
      - tsdb:/prometheus
    expose: ["9090"]
  grafana:
    image: grafana/grafana:11.1.0
    ports: ["3001:3000"]
    configs: [{ source: sources, target: /etc/grafana/provisioning/datasources/all.yaml, mode: 0440, uid: "472" }]
    secrets: [{ source: admin, target: grafana_admin }]
    environment: { GF_SECURITY_ADMIN_PASSWORD__FILE: /run/secrets/grafana_admin }
    volumes: ["pages:/var/lib/grafana"]
configs: { sources: { content: "apiVersion: 1\\n" } }
secrets: { admin: { external: true } }
volumes: { tsdb: {}, pages: {} }
`,
    files: { "prometheus.yml": "global: {}\n" },
    starts: ["grafana", "prometheus"],
  },
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
      "compose.yaml:7: services.traefik.volumes[0]: is a file or folder of the host",
      "compose.yaml:6: services.traefik.ports[0]: port 80 is the gateways', which route by host",
      "compose.yaml:6: services.traefik.ports[1]: port 443 is the gateways', which route by host",
    ],
  },
  {
    name: "a photo library with a healthcheck that is off",
    text: `name: photos
services:
  server:
    image: ghcr.io/immich-app/immich-server:\${VERSION:-release}
    env_file: [.env]
    depends_on: [redis, database]
    ports: ["2283:2283"]
    restart: always
    healthcheck: { disable: true }
    volumes: ["uploads:/usr/src/app/upload"]
  redis:
    image: docker.io/valkey/valkey:8
    healthcheck: { test: redis-cli ping || exit 1 }
  database:
    image: ghcr.io/immich-app/postgres:14
    environment: { POSTGRES_PASSWORD: "\${DB_PASSWORD}", POSTGRES_INITDB_ARGS: "--data-checksums" }
    volumes: ["db:/var/lib/postgresql/data"]
    shm_size: 128M
volumes: { uploads: {}, db: {} }
`,
    files: { ".env": "VERSION=v1.106.0\nDB_PASSWORD=x\n" },
    variables: "VERSION=v1.106.0\nDB_PASSWORD=x\n",
    starts: ["database", "redis", "server"],
  },
  {
    name: "single sign-on behind a host",
    text: `name: login
services:
  keycloak:
    image: quay.io/keycloak/keycloak:25.0
    command: start --http-enabled=true
    environment: { KC_PROXY_HEADERS: xforwarded, KC_DB: postgres }
    ports: ["80:8080"]
    x-ployz:
      routes: [{ host: login.example.com, port: p8080, tls: true }]
      env: { KC_DB_PASSWORD: { secret: kc-db } }
`,
    starts: ["keycloak"],
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
      "compose.yaml:7: services.rabbitmq.ports[1]: is bound to one address",
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
      "compose.yaml:6: services.jellyfin.devices: is not supported",
      "compose.yaml:7: services.jellyfin.group_add: is not supported",
      "compose.yaml:10: services.jellyfin.init: is not supported",
      "compose.yaml:8: services.jellyfin.volumes[2]: is a file or folder of the host",
      "compose.yaml:9: services.jellyfin.restart: on-failure is not supported",
    ],
  },
  {
    name: "a name server that needs capabilities and UDP",
    text: `name: names
services:
  pihole:
    image: pihole/pihole:2024.07.0
    ports: ["53:53/tcp", "53:53/udp", "8082:80"]
    cap_add: [NET_ADMIN]
    dns: [127.0.0.1, 1.1.1.1]
    environment: { TZ: Europe/Berlin }
`,
    refused: [
      "compose.yaml:6: services.pihole.cap_add: is not supported",
      "compose.yaml:7: services.pihole.dns: is not supported",
      "compose.yaml:5: services.pihole.ports[1]: udp is not supported",
    ],
  },
  {
    name: "an application that is built, with workers and a beat",
    text: `name: shop
x-build: &build { context: ., args: { PYTHON: "3.12", UMASK: 022 }, target: prod }
services:
  web: { build: *build, command: "gunicorn app:app -b 0.0.0.0:8000", ports: ["8000:8000"], depends_on: [redis] }
  worker: { build: *build, command: celery -A app worker, scale: 2 }
  redis: { image: "redis:7" }
`,
    starts: ["redis", "web", "worker", "worker"],
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
