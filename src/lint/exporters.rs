//! Which exporter provides the metrics that begin with a word.

/// The first words of metrics' names, and what exports them.
const EXPORTERS: [(&str, &str); 34] = [
    ("apache", "Apache exporter"),
    ("argocd", "Argo CD"),
    ("blackbox", "blackbox exporter"),
    ("caddy", "Caddy"),
    ("celery", "Celery exporter"),
    ("cadvisor", "cAdvisor"),
    ("consul", "Consul exporter"),
    ("container", "cAdvisor"),
    ("coredns", "CoreDNS"),
    ("django", "the application, by monctl's exporter or django-prometheus"),
    ("elasticsearch", "Elasticsearch exporter"),
    ("etcd", "etcd"),
    ("haproxy", "HAProxy"),
    ("jvm", "Micrometer or the JMX exporter"),
    ("kafka", "Kafka exporter"),
    ("kube", "kube-state-metrics"),
    ("kubelet", "the kubelet"),
    ("memcached", "memcached exporter"),
    ("mongodb", "MongoDB exporter"),
    ("monctl", "monctl's exporter of the application"),
    ("mysql", "mysqld exporter"),
    ("nginx", "NGINX exporter"),
    ("node", "node exporter"),
    ("pg", "PostgreSQL exporter"),
    ("pgbouncer", "PgBouncer exporter"),
    ("phpfpm", "PHP-FPM exporter"),
    ("probe", "blackbox exporter"),
    ("rabbitmq", "RabbitMQ"),
    ("redis", "Redis exporter"),
    ("smartctl", "smartctl exporter"),
    ("snmp", "SNMP exporter"),
    ("traefik", "Traefik"),
    ("windows", "windows exporter"),
    ("zfs", "ZFS exporter"),
];

/// The exporter of metrics that begin with this word and `_`; `None` if unknown.
pub fn exporter(family: &str) -> Option<&'static str> {
    EXPORTERS.iter().find(|(first, _)| *first == family).map(|(_, name)| *name)
}
