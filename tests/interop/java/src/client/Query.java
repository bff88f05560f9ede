import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Finding messages by offset message id, by key and by unique key. */
final class Query {
    static void register(Scenarios s) {
        s.add("query.by_id", Query::byId);
        s.add("query.by_key", Query::byKey);
        s.add("query.by_unique_key", Query::byUniqueKey);
    }

    private static void byId(Env env) throws Exception {
        String topic = env.topic("query-id", 2);
        for (int i = 0; i < 10; i++) {
            var sent = env.producer.send(env.message(topic, "t", "q" + i));
            MessageExt found = env.admin.viewMessage(topic, sent.getOffsetMsgId());
            if (!Env.body(found).equals("q" + i) || found.getQueueOffset() != sent.getQueueOffset()) {
                env.equal("message of " + sent.getOffsetMsgId(), "q" + i, found);
            }
        }
        env.ok("10 found");
        var sent = env.producer.send(env.message(topic, "t", "last"));
        String beyond = sent.getOffsetMsgId().substring(0, 16) + "00000FFFFFFFFFFF";
        try {
            env.admin.viewMessage(topic, beyond);
            env.that("an offset beyond the log is refused", false);
        } catch (MQBrokerException e) {
            env.equal("code for an offset beyond the log", 1, e.getResponseCode());
        } catch (MQClientException e) {
            env.ok("an offset beyond the log is refused: " + e.getMessage());
        }
    }

    private static void byKey(Env env) throws Exception {
        String topic = env.topic("query-key", 2);
        long begin = System.currentTimeMillis();
        for (int i = 0; i < 20; i++) {
            Message message = env.message(topic, "t", "k" + i);
            message.setKeys("all only" + i + " third" + i % 3);
            env.producer.send(message);
        }
        env.eventually("indexed", 20, () -> find(env, topic, "all", begin).size() == 20);
        env.equal("one", List.of("k7"), List.copyOf(find(env, topic, "only7", begin)));
        env.equal("some", new TreeSet<>(List.of("k2", "k5", "k8", "k11", "k14", "k17")), find(env, topic, "third2", begin));
        env.equal("none", 0, find(env, topic, "nothing", begin).size());
        env.equal("none of the past", 0, find(env, topic, "all", 0, begin - 60_000).size());
    }

    private static TreeSet<String> find(Env env, String topic, String key, long begin) throws Exception {
        return find(env, topic, key, begin - 5000, System.currentTimeMillis() + 5000);
    }

    private static TreeSet<String> find(Env env, String topic, String key, long begin, long end) throws Exception {
        try {
            return env.admin.queryMessage(topic, key, 64, begin, end).getMessageList().stream()
                .map(Env::body).collect(Collectors.toCollection(TreeSet::new));
        } catch (MQClientException e) {
            return new TreeSet<>();
        }
    }

    private static void byUniqueKey(Env env) throws Exception {
        String topic = env.topic("query-unique", 2);
        for (int i = 0; i < 5; i++) {
            var sent = env.producer.send(env.message(topic, "t", "u" + i));
            int n = i;
            env.eventually("found by unique key", 20, () -> {
                try {
                    return Env.body(env.admin.viewMessage(topic, sent.getMsgId())).equals("u" + n);
                } catch (MQClientException e) {
                    return false;
                }
            });
        }
    }
}
