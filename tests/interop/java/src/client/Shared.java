import org.apache.rocketmq.client.producer.DefaultMQProducer;
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
        producer = new DefaultMQProducer("shared-producer");
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName("producer-" + System.nanoTime());
        producer.setClientIP("127.0.0.1");
        producer.setSendMsgTimeout(10_000);
        producer.start();
    }

    void close() {
        producer.shutdown();
        admin.shutdown();
    }
}
