import type { Stack } from "./stack.ts";

export const DEPLOYED: readonly Stack[] = [
  {
    name: "a search that drops all capabilities but those that its start needs",
    text: `name: search
services:
  searxng:
    image: searxng/searxng:2024.8.1
    ports: ["8080:8080"]
    init: true
    cap_drop: [ALL, NET_RAW]
    cap_add: [CAP_CHOWN, SETGID, SETUID]
`,
    starts: ["searxng"],
  },
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
];
