/** A Eureka server: an account for everything but probes and metrics, and gauges of what its alerts need. */
import com.netflix.eureka.EurekaServerContext
import com.netflix.eureka.registry.PeerAwareInstanceRegistry
import com.netflix.eureka.util.StatusUtil
import io.micrometer.core.instrument.Gauge
import io.micrometer.core.instrument.binder.MeterBinder
import org.springframework.boot.SpringApplication
import org.springframework.boot.SpringBootConfiguration
import org.springframework.boot.autoconfigure.EnableAutoConfiguration
import org.springframework.boot.context.properties.bind.Bindable
import org.springframework.boot.context.properties.bind.Binder
import org.springframework.boot.health.contributor.Health
import org.springframework.boot.health.contributor.HealthIndicator
import org.springframework.cloud.netflix.eureka.server.EnableEurekaServer
import org.springframework.cloud.netflix.eureka.server.event.EurekaServerStartedEvent
import org.springframework.context.ApplicationListener
import org.springframework.context.annotation.Bean
import org.springframework.core.env.Environment
import org.springframework.security.config.Customizer
import org.springframework.security.config.annotation.web.builders.HttpSecurity
import org.springframework.security.core.userdetails.User
import org.springframework.security.core.userdetails.UserDetailsService
import org.springframework.security.provisioning.InMemoryUserDetailsManager
import org.springframework.security.web.SecurityFilterChain

@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
@EnableEurekaServer
class Registry {
    private volatile boolean synchronised

    /** One account for each `registry.accounts.<name>`, which is its password. */
    @Bean
    UserDetailsService accounts(Environment environment) {
        def known = Binder.get(environment).bind('registry.accounts', Bindable.mapOf(String, String)).get()
        new InMemoryUserDetailsManager(known.collect { name, password ->
            User.withUsername(name).password("{noop}${password}").roles('SERVICE').build()
        })
    }

    /** Clients are programs, so there is no session to forge a request in. */
    @Bean
    SecurityFilterChain doors(HttpSecurity http) {
        http.csrf { it.disable() }
        http.authorizeHttpRequests {
            it.requestMatchers('/actuator/health/**', '/actuator/prometheus').permitAll()
            it.anyRequest().authenticated()
        }
        http.httpBasic(Customizer.withDefaults())
        http.build()
    }

    @Bean
    MeterBinder health(PeerAwareInstanceRegistry registry, EurekaServerContext context) {
        { meters ->
            gauge(meters, 'renewals.last.minute') { registry.numOfRenewsInLastMin }
            gauge(meters, 'renewals.threshold') { registry.numOfRenewsPerMinThreshold }
            gauge(meters, 'peers.available') { peers(context).count { it } }
        } as MeterBinder
    }

    /** A member that does not have yet what its peers know is not ready, so that the next one is not restarted. */
    @Bean
    HealthIndicator registryHealthIndicator() {
        { synchronised ? Health.up().build() : Health.outOfService().build() } as HealthIndicator
    }

    @Bean
    ApplicationListener<EurekaServerStartedEvent> started() {
        { event -> synchronised = true } as ApplicationListener<EurekaServerStartedEvent>
    }

    private static gauge(meters, String name, Closure<Number> read) {
        Gauge.builder("eureka.server.$name", { read() }).strongReference(true).register(meters)
    }

    private static peers(EurekaServerContext context) {
        new StatusUtil(context).statusInfo.applicationStats['available-replicas'].split(',')
    }
}

SpringApplication.run(Registry, args)
