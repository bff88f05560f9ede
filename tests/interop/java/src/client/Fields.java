import java.net.InetSocketAddress;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;

/** Every field of a message comes back as it was sent, and those the broker sets are right. */
final class Fields {
    static void register(Scenarios s) {
        s.add("fields.all", Fields::all);
        s.add("fields.text", Fields::text);
        s.add("fields.many_properties", Fields::manyProperties);
    }

    private static void all(Env env) throws Exception {
        String topic = env.topic("fields", 4);
        Message message = env.message(topic, "tagA", "hello");
        message.setKeys("k1 k2");
        message.setFlag(0x7a0b0c0d);
        message.setWaitStoreMsgOK(true);
        message.setBuyerId("buyer");
        message.putUserProperty("colour", "red");
        long before = System.currentTimeMillis();
        SendResult sent = env.producer.send(message);
        long after = System.currentTimeMillis();
        MessageExt m = env.readAll(topic, 1).get(0);
        env.equal("topic", topic, m.getTopic());
        env.equal("broker", sent.getMessageQueue().getBrokerName(), m.getBrokerName());
        env.equal("queue id", sent.getMessageQueue().getQueueId(), m.getQueueId());
        env.equal("queue offset", sent.getQueueOffset(), m.getQueueOffset());
        env.equal("unique key", sent.getMsgId(), m.getMsgId());
        env.equal("body", "hello", Env.body(m));
        env.equal("flag", 0x7a0b0c0d, m.getFlag());
        env.equal("sysFlag", 0, m.getSysFlag());
        env.equal("reconsumeTimes", 0, m.getReconsumeTimes());
        env.equal("preparedTransactionOffset", 0L, m.getPreparedTransactionOffset());
        env.that("born timestamp", before <= m.getBornTimestamp() && m.getBornTimestamp() <= after);
        env.that("store timestamp", before <= m.getStoreTimestamp() && m.getStoreTimestamp() <= after);
        env.equal("born host", "127.0.0.1", ((InetSocketAddress) m.getBornHost()).getAddress().getHostAddress());
        InetSocketAddress store = (InetSocketAddress) m.getStoreHost();
        env.equal("store host", env.masters().get(m.getBrokerName()), store.getAddress().getHostAddress() + ":" + store.getPort());
        env.equal("body crc", crc("hello"), m.getBodyCRC());
        checkProperties(env, m, sent);
    }

    private static void checkProperties(Env env, MessageExt m, SendResult sent) throws Exception {
        Map<String, String> properties = new TreeMap<>(m.getProperties());
        env.that("MIN_OFFSET and MAX_OFFSET set by the client",
            properties.remove(MessageConst.PROPERTY_MIN_OFFSET) != null && properties.remove(MessageConst.PROPERTY_MAX_OFFSET) != null);
        env.equal("CLUSTER", "DefaultCluster", properties.remove("CLUSTER"));
        env.equal("MSG_REGION", "DefaultRegion", properties.remove("MSG_REGION"));
        env.equal("TRACE_ON", "true", properties.remove("TRACE_ON"));
        Map<String, String> expected = new TreeMap<>(Map.of("KEYS", "k1 k2", "TAGS", "tagA", "WAIT", "true",
            "BUYER_ID", "buyer", "colour", "red", "UNIQ_KEY", sent.getMsgId()));
        env.equal("properties", expected, properties);
    }

    private static int crc(String body) {
        java.util.zip.CRC32 crc = new java.util.zip.CRC32();
        crc.update(body.getBytes());
        return (int) (crc.getValue() & 0x7fffffff);
    }

    private static void text(Env env) throws Exception {
        String topic = env.topic("fields-text", 1);
        Message message = env.message(topic, "größe", "Übung 😀 漢字");
        message.setKeys("schlüssel");
        message.putUserProperty("价", "№ 5 \uD83D\uDE00");
        env.producer.send(message);
        MessageExt m = env.readAll(topic, 1).get(0);
        env.equal("body", "Übung 😀 漢字", Env.body(m));
        env.equal("tags", "größe", m.getTags());
        env.equal("keys", "schlüssel", m.getKeys());
        env.equal("property", "№ 5 😀", m.getUserProperty("价"));
    }

    /** Near the limit of 32767 bytes of properties. */
    private static void manyProperties(Env env) throws Exception {
        String topic = env.topic("fields-many", 1);
        Message message = env.message(topic, "t", "x");
        for (int i = 0; i < 300; i++) {
            message.putUserProperty("property-" + i, "v".repeat(90));
        }
        env.producer.send(message);
        MessageExt m = env.readAll(topic, 1).get(0);
        int found = 0;
        for (int i = 0; i < 300; i++) {
            found += "v".repeat(90).equals(m.getUserProperty("property-" + i)) ? 1 : 0;
        }
        env.equal("properties read back", 300, found);
    }
}
