/** The backend: answers 16 bytes from memory. */
export const haproxyBackend = (port: number): string => `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend answers
  bind 127.0.0.1:${port}
  http-request return status 200 content-type text/plain string "0123456789abcdef"
`;

/** The minimal configuration that forwards HTTP. */
export const haproxyBare = (port: number, backend: number): string => `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  server one 127.0.0.1:${backend}
`;

export const nginxConfig = (port: number, backend: number, dir: string): string => `
daemon off;
pid ${dir}/nginx.pid;
error_log stderr crit;
worker_processes auto;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${dir}/nginx-body;
  proxy_temp_path ${dir}/nginx-proxy;
  fastcgi_temp_path ${dir}/nginx-fastcgi;
  uwsgi_temp_path ${dir}/nginx-uwsgi;
  scgi_temp_path ${dir}/nginx-scgi;
  upstream out { server 127.0.0.1:${backend}; keepalive 64; }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 1000000;
    location / {
      proxy_pass http://out;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
    }
  }
}
`;

export const caddyfile = (port: number, backend: number): string => `
{
  admin off
  auto_https off
}
http://:${port} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${backend}
}
`;
