// Tells Prometheus how far consumer groups are behind, with the flags and metrics of github.com/danielqsj/kafka_exporter
// that Grayling uses: that program's module cannot be had where the sandbox is made.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

const patience = 10 * time.Second

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kafka_"+name, help, labels, nil)
}

var (
	brokers       = described("brokers", "Brokers of the cluster.")
	partitions    = described("topic_partitions", "Partitions of a topic.", "topic")
	currentOffset = described("topic_partition_current_offset", "End of a partition.", "topic", "partition")
	inSync        = described("topic_partition_in_sync_replica", "Copies that are in sync.", "topic", "partition")
	groupOffset   = described("consumergroup_current_offset", "What a group has committed.", "consumergroup", "topic", "partition")
	groupLag      = described("consumergroup_lag", "Messages a group is behind.", "consumergroup", "topic", "partition")
	groupMembers  = described("consumergroup_members", "Members of a group.", "consumergroup")
)

type exporter struct{ admin *kadm.Client }

func (e exporter) Describe(into chan<- *prometheus.Desc) {
	for _, each := range []*prometheus.Desc{brokers, partitions, currentOffset, inSync, groupOffset, groupLag, groupMembers} {
		into <- each
	}
}

// What cannot be read has no series: nothing is told of it that is not known.
func (e exporter) Collect(into chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tell := func(what *prometheus.Desc, value float64, labels ...string) {
		into <- prometheus.MustNewConstMetric(what, prometheus.GaugeValue, value, labels...)
	}
	meta, err := e.admin.Metadata(ctx)
	if err != nil {
		log.Printf("metadata: %v", err)
		return
	}
	tell(brokers, float64(len(meta.Brokers)))
	for name, topic := range meta.Topics {
		tell(partitions, float64(len(topic.Partitions)), name)
		for id, each := range topic.Partitions {
			tell(inSync, float64(len(each.ISR)), name, fmt.Sprint(id))
		}
	}
	ends, err := e.admin.ListEndOffsets(ctx)
	if err != nil {
		log.Printf("ends: %v", err)
	}
	ends.Each(func(each kadm.ListedOffset) {
		if each.Err == nil {
			tell(currentOffset, float64(each.Offset), each.Topic, fmt.Sprint(each.Partition))
		}
	})
	lags, err := e.admin.Lag(ctx)
	if err != nil {
		log.Printf("groups: %v", err)
	}
	for group, found := range lags {
		if found.Error() != nil {
			log.Printf("group %s: %v", group, found.Error())
			continue
		}
		tell(groupMembers, float64(len(found.Members)), group)
		for _, each := range found.Lag.Sorted() {
			if each.Commit.At < 0 || each.Lag < 0 {
				continue
			}
			place := []string{group, each.Topic, fmt.Sprint(each.Partition)}
			tell(groupOffset, float64(each.Commit.At), place...)
			tell(groupLag, float64(each.Lag), place...)
		}
	}
}

func secure(authority string) *tls.Config {
	pem, err := os.ReadFile(authority)
	if err != nil {
		log.Fatalf("--tls.ca-file: %v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		log.Fatalf("--tls.ca-file: %s has no certificate", authority)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func main() {
	server := flag.String("kafka.server", "", "host:port of a broker")
	listen := flag.String("web.listen-address", ":9308", "where metrics are")
	user := flag.String("sasl.username", "", "name of the account")
	password := flag.String("sasl.password", "", "its password")
	encrypted := flag.Bool("tls.enabled", false, "whether the broker speaks TLS")
	authority := flag.String("tls.ca-file", "", "who signed the broker's certificate")
	flag.Bool("sasl.enabled", true, "always so here")
	flag.String("sasl.mechanism", "scram-sha512", "always this one here")
	flag.String("kafka.version", "", "found out by itself here")
	flag.Parse()
	login := scram.Auth{User: *user, Pass: *password}.AsSha512Mechanism()
	options := []kgo.Opt{kgo.SeedBrokers(*server), kgo.SASL(login), kgo.MetadataMinAge(time.Second)}
	if *encrypted {
		options = append(options, kgo.DialTLSConfig(secure(*authority)))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		log.Fatal(err)
	}
	prometheus.MustRegister(exporter{kadm.NewClient(client)})
	http.Handle("/metrics", promhttp.Handler())
	http.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(answer, "ok") })
	log.Fatal(http.ListenAndServe(*listen, nil))
}
