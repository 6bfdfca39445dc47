module grayling.dev/sandbox/rabbitmq-operator

go 1.24.4

require github.com/rabbitmq/cluster-operator/v2 v2.16.0
