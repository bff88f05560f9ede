import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.UtilAll;

/** The push consumer: subscription, broadcasting, where it starts and where it goes on. */
final class Consume {
    static void register(Scenarios s) {
        s.add("consume.tags", Consume::tags);
        s.add("consume.long_poll", Consume::longPoll);
        s.add("consume.broadcast", Consume::broadcast);
        s.add("consume.goes_on", Consume::goesOn);
        s.add("consume.from_first", Consume::fromFirst);
        s.add("consume.from_last", Consume::fromLast);
        s.add("consume.from_timestamp", Consume::fromTimestamp);
        s.add("consume.big", Consume::big);
    }

    private static void tags(Env env) throws Exception {
        String topic = env.topic("consume-tags", 4);
        Received received = new Received();
        received.start(env.push(env.unique("g-tags")), topic, "a || b");
        String[] tags = {"a", "b", "c", null};
        for (int i = 0; i < 80; i++) {
            env.producer.send(env.message(topic, tags[i % 4], tags[i % 4] + i));
        }
        TreeSet<String> expected = new TreeSet<>();
        for (int i = 0; i < 80; i++) {
            if (i % 4 < 2) {
                expected.add(tags[i % 4] + i);
            }
        }
        env.eventually("40 received", 60, () -> received.count() >= 40);
        env.equal("bodies", expected, received.distinct());
        env.equal("duplicates", 0, received.duplicates());
    }

    /** A message sent while the pull is held at the broker comes at once, not after the 15 s of the poll. */
    private static void longPoll(Env env) throws Exception {
        String topic = env.topic("consume-poll", 1);
        Received received = new Received();
        received.start(env.push(env.unique("g-poll")), topic, "*");
        env.sendMany(topic, "warm", 1);
        env.eventually("first message", 60, () -> received.count() == 1);
        long worst = 0;
        for (int i = 1; i <= 10; i++) {
            Thread.sleep(100);
            long start = System.nanoTime();
            env.sendMany(topic, "poll" + i, 1);
            int wanted = i + 1;
            while (received.count() < wanted && System.nanoTime() - start < 20_000_000_000L) {
                Thread.sleep(1);
            }
            worst = Math.max(worst, (System.nanoTime() - start) / 1_000_000);
        }
        env.that("held pulls are woken, slowest " + worst + " ms", worst < 4000);
    }

    private static void broadcast(Env env) throws Exception {
        String topic = env.topic("consume-broadcast", 2);
        String group = env.unique("g-broadcast");
        Received[] received = {new Received(), new Received()};
        for (Received one : received) {
            DefaultMQPushConsumer consumer = env.push(group);
            Compat.broadcasting(consumer);
            one.start(consumer, topic, "*");
        }
        env.sendMany(topic, "b", 40);
        for (Received one : received) {
            env.eventually("40 received", 60, () -> one.count() >= 40);
            env.equal("bodies", Send.expected("b", 40), one.distinct());
            env.equal("duplicates", 0, one.duplicates());
        }
    }

    /** A second consumer of the group goes on where the first one stopped. */
    private static void goesOn(Env env) throws Exception {
        String topic = env.topic("consume-goes-on", 4);
        String group = env.unique("g-goes-on");
        Received first = new Received();
        DefaultMQPushConsumer consumer = first.start(env.push(group), topic, "*");
        env.sendMany(topic, "x", 50);
        env.eventually("50 received", 60, () -> first.count() == 50);
        consumer.shutdown();
        env.sendMany(topic, "y", 50);
        Received second = new Received();
        second.start(env.push(group), topic, "*");
        env.eventually("50 more received", 60, () -> second.count() >= 50);
        env.equal("bodies", Send.expected("y", 50), second.distinct());
        env.equal("duplicates", 0, second.duplicates());
    }

    private static void fromFirst(Env env) throws Exception {
        String topic = env.topic("consume-first", 2);
        env.sendMany(topic, "old", 20);
        Received received = new Received();
        received.start(env.push(env.unique("g-first"), ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET), topic, "*");
        env.eventually("old messages received", 60, () -> received.count() >= 20);
        env.equal("bodies", Send.expected("old", 20), received.distinct());
    }

    /**
     * CONSUME_FROM_LAST_OFFSET does not mean what it says while the queue still starts at offset 0 in memory:
     * the broker then answers offset 0, so that nothing of a new topic is lost to a new group.
     */
    private static void fromLast(Env env) throws Exception {
        String topic = env.topic("consume-last", 2);
        env.sendMany(topic, "old", 20);
        Received received = new Received();
        received.start(env.push(env.unique("g-last"), ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET), topic, "*");
        env.sendMany(topic, "new", 20);
        TreeSet<String> expected = Send.expected("old", 20);
        expected.addAll(Send.expected("new", 20));
        env.eventually("young queues are read from their start", 60, () -> received.count() >= 40);
        env.equal("bodies", expected, received.distinct());
    }

    /** As above for a new group; the timestamp counts only when the broker answers "not found". */
    private static void fromTimestamp(Env env) throws Exception {
        String topic = env.topic("consume-timestamp", 2);
        env.sendMany(topic, "old", 10);
        DefaultMQPushConsumer consumer = env.push(env.unique("g-timestamp"), ConsumeFromWhere.CONSUME_FROM_TIMESTAMP);
        consumer.setConsumeTimestamp(UtilAll.timeMillisToHumanString3(System.currentTimeMillis() + 60_000));
        Received received = new Received();
        received.start(consumer, topic, "*");
        env.sendMany(topic, "new", 10);
        env.eventually("young queues are read from their start", 60, () -> received.count() >= 20);
    }

    /** Bodies larger than one pull answer may carry are still delivered, one by one. */
    private static void big(Env env) throws Exception {
        String topic = env.topic("consume-big", 1);
        byte[] body = new byte[1024 * 1024];
        new java.util.Random(2).nextBytes(body);
        for (int i = 0; i < 6; i++) {
            body[0] = (byte) i;
            env.producer.send(new org.apache.rocketmq.common.message.Message(topic, body.clone()));
        }
        CountDownLatch six = new CountDownLatch(6);
        TreeSet<Byte> first = new TreeSet<>();
        DefaultMQPushConsumer consumer = env.push(env.unique("g-big"));
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (list, context) -> {
            list.forEach(m -> {
                synchronized (first) {
                    first.add(m.getBody().length == body.length ? m.getBody()[0] : -1);
                }
                six.countDown();
            });
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        env.eventually("6 MiB received", 60, () -> six.getCount() == 0);
        env.equal("bodies", 6, first.size());
    }
}
