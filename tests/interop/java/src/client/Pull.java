import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.common.message.MessageQueue;

/** Pulls by hand: every status the broker can answer. */
final class Pull {
    static void register(Scenarios s) {
        s.add("pull.statuses", Pull::statuses);
        s.add("pull.filter", Pull::filter);
        s.add("pull.unknown_topic", Pull::unknownTopic);
        s.add("pull.forbidden", Pull::forbidden);
        s.add("pull.held", Pull::held);
    }

    private static void statuses(Env env) throws Exception {
        String topic = env.topicOnOne("pull", 1);
        DefaultMQPullConsumer consumer = env.pull(env.unique("g-pull"));
        MessageQueue queue = consumer.fetchSubscribeMessageQueues(topic).iterator().next();
        env.equal("empty queue", PullStatus.NO_NEW_MSG, consumer.pull(queue, "*", 0, 10).getPullStatus());
        env.sendMany(topic, "p", 100);
        PullResult first = consumer.pull(queue, "*", 0, 10);
        env.equal("status", PullStatus.FOUND, first.getPullStatus());
        env.equal("found", List.of("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"), Env.bodies(first.getMsgFoundList()));
        env.equal("min, max, next", "0 100 10", first.getMinOffset() + " " + first.getMaxOffset() + " " + first.getNextBeginOffset());
        PullResult many = consumer.pull(queue, "*", 50, 1000);
        env.that("at most what there is: " + many.getMsgFoundList().size(), many.getMsgFoundList().size() <= 50);
        env.equal("first of many", "p50", Env.body(many.getMsgFoundList().get(0)));
        PullResult end = consumer.pull(queue, "*", 100, 10);
        env.equal("at the end", PullStatus.NO_NEW_MSG + " 100", end.getPullStatus() + " " + end.getNextBeginOffset());
        PullResult beyond = consumer.pull(queue, "*", 1000, 10);
        env.equal("beyond the end", PullStatus.OFFSET_ILLEGAL + " 100", beyond.getPullStatus() + " " + beyond.getNextBeginOffset());
    }

    private static void filter(Env env) throws Exception {
        String topic = env.topicOnOne("pull-filter", 1);
        for (int i = 0; i < 20; i++) {
            env.producer.send(env.message(topic, i < 10 ? "x" : "y", "f" + i));
        }
        env.readAll(topic, 20);
        DefaultMQPullConsumer consumer = env.pull(env.unique("g-filter"));
        MessageQueue queue = consumer.fetchSubscribeMessageQueues(topic).iterator().next();
        PullResult y = consumer.pull(queue, "y", 0, 32);
        env.equal("first of y", "f10", Env.body(y.getMsgFoundList().get(0)));
        env.equal("next", 20L, y.getNextBeginOffset());
        PullResult none = consumer.pull(queue, "z", 0, 32);
        env.equal("no match", PullStatus.NO_MATCHED_MSG + " 20", none.getPullStatus() + " " + none.getNextBeginOffset());
    }

    private static void unknownTopic(Env env) throws Exception {
        String topic = env.topicOnOne("pull-known", 1);
        DefaultMQPullConsumer consumer = env.pull(env.unique("g-unknown"));
        MessageQueue known = consumer.fetchSubscribeMessageQueues(topic).iterator().next();
        env.equal("code of a known queue", 0, code(consumer, known));
        env.equal("code", 17, code(consumer, new MessageQueue(env.unique("never-made"), known.getBrokerName(), 0)));
        env.equal("code of a queue that is not", 29, code(consumer, new MessageQueue(topic, known.getBrokerName(), 7)));
    }

    private static void forbidden(Env env) throws Exception {
        String topic = env.topic("pull-write-only", 1, 2);
        DefaultMQPullConsumer consumer = env.pull(env.unique("g-forbidden"));
        consumer.fetchSubscribeMessageQueues(env.topicOnOne("pull-other", 1));
        env.equal("code", 16, code(consumer, new MessageQueue(topic, env.firstMaster().getKey(), 0)));
    }

    private static int code(DefaultMQPullConsumer consumer, MessageQueue queue) throws Exception {
        try {
            consumer.pull(queue, "*", 0, 1);
            return 0;
        } catch (MQBrokerException e) {
            return e.getResponseCode();
        }
    }

    /** A blocking pull is held until a message comes. */
    private static void held(Env env) throws Exception {
        String topic = env.topicOnOne("pull-held", 1);
        DefaultMQPullConsumer consumer = env.pull(env.unique("g-held"));
        MessageQueue queue = consumer.fetchSubscribeMessageQueues(topic).iterator().next();
        Thread sender = new Thread(() -> {
            Orderly.pause(1000);
            try {
                env.sendMany(topic, "h", 1);
            } catch (Exception e) {
                System.out.println("sender stopped: " + e);
            }
        });
        sender.start();
        long start = System.nanoTime();
        PullResult result = consumer.pullBlockIfNotFound(queue, "*", 0, 10);
        long millis = (System.nanoTime() - start) / 1_000_000;
        env.equal("status", PullStatus.FOUND, result.getPullStatus());
        env.that("held until the message came, " + millis + " ms", millis >= 900 && millis < 10_000);
    }
}
