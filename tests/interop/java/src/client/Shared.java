import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.remoting.exception.RemotingConnectException;
import org.apache.rocketmq.remoting.exception.RemotingTimeoutException;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What all scenarios of one JVM use together: the NameServer, one admin client, one producer. */
final class Shared {
    final String namesrv;
    final DefaultMQAdminExt admin;
    final DefaultMQProducer producer;

    Shared(String namesrv) throws Exception {
        this.namesrv = namesrv;
        admin = new DefaultMQAdminExt(10_000);
        admin.setNamesrvAddr(namesrv);
        admin.setInstanceName("admin-" + System.nanoTime());
        admin.setClientIP("127.0.0.1");
        admin.start();
        awaitMasters(Integer.getInteger("interop.brokers", 1));
        producer = new DefaultMQProducer("shared-producer");
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName("producer-" + System.nanoTime());
        producer.setClientIP("127.0.0.1");
        producer.setSendMsgTimeout(10_000);
        producer.start();
    }

    /** Servers are up before their brokers are registered: nothing starts until the NameServer knows so many masters. */
    private void awaitMasters(int count) throws Exception {
        for (int tries = 0; tries < 600; tries++) {
            try {
                var brokers = admin.examineBrokerClusterInfo().getBrokerAddrTable();
                if (brokers.values().stream().filter(b -> b.getBrokerAddrs().containsKey(0L)).count() >= count) {
                    return;
                }
            } catch (RemotingConnectException | RemotingTimeoutException e) {
                // The NameServer is not up yet.
            }
            Thread.sleep(100);
        }
        throw new IllegalStateException("no " + count + " masters at " + namesrv + " within a minute");
    }

    void close() {
        producer.shutdown();
        admin.shutdown();
    }
}
