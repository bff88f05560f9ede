import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;

/**
 * Consumers of one group join and leave while messages flow: nothing is lost. With Java's own broker a message may be
 * handed to both consumers when its queue moves between the read and the commit of its offset, so that is allowed.
 */
final class Rebalance {
    static void register(Scenarios s) {
        s.add("rebalance.join_and_leave", Rebalance::joinAndLeave);
        s.add("rebalance.notified", Rebalance::notified);
    }

    private static void joinAndLeave(Env env) throws Exception {
        String topic = env.topic("rebalance", 4);
        String group = env.unique("g-rebalance");
        AtomicInteger sent = new AtomicInteger();
        AtomicBoolean stop = new AtomicBoolean();
        Thread sender = new Thread(() -> {
            try {
                while (!stop.get()) {
                    env.producer.send(env.message(topic, "t", "r" + sent.get()));
                    sent.incrementAndGet();
                    Thread.sleep(2);
                }
            } catch (Exception e) {
                System.out.println("sender stopped: " + e);
            }
        });
        sender.start();
        env.atEnd(() -> stop.set(true));
        Received first = new Received();
        Received second = new Received();
        DefaultMQPushConsumer one = graceful(env, group);
        first.start(one, topic, "*");
        env.eventually("the first consumer works alone", 60, () -> first.count() > 200);
        second.start(graceful(env, group), topic, "*");
        env.eventually("the second consumer takes its part", 60, () -> second.count() > 200);
        int before = first.count();
        env.eventually("the first one still has a part", 60, () -> first.count() > before + 100);
        one.shutdown();
        int atLeave = second.count();
        env.eventually("the second one goes on", 60, () -> second.count() > atLeave + 300);
        stop.set(true);
        sender.join();
        int n = sent.get();
        env.eventually("all received", 60, () -> all(first, second).size() == n);
        env.equal("bodies", Send.expected("r", n), all(first, second));
        env.equal("handed twice to the same consumer", 0, first.duplicates() + second.duplicates());
        env.ok("handed to both at a hand-over: " + (first.count() + second.count() - n) + " of " + n);
    }

    private static DefaultMQPushConsumer graceful(Env env, String group) {
        DefaultMQPushConsumer consumer = env.push(group);
        consumer.setAwaitTerminationMillisWhenShutdown(5000);
        return consumer;
    }

    private static TreeSet<String> all(Received... received) {
        TreeSet<String> all = new TreeSet<>();
        for (Received one : received) {
            all.addAll(one.distinct());
        }
        return all;
    }

    /** The group hears of a new member by code 40 at once, long before its own rebalance every 20 s. */
    private static void notified(Env env) throws Exception {
        String topic = env.topic("rebalance-notified", 4);
        String group = env.unique("g-notified");
        Received received = new Received();
        DefaultMQPushConsumer one = received.start(env.push(group), topic, "*");
        int all = 4 * env.masters().size();
        env.eventually("all queues with the first", 60, () -> assigned(one, topic) == all);
        DefaultMQPushConsumer two = received.start(env.push(group), topic, "*");
        env.eventually("half of the queues each", 15, () -> assigned(one, topic) == all / 2 && assigned(two, topic) == all / 2);
        two.shutdown();
        env.eventually("all queues with the first again", 15, () -> assigned(one, topic) == all);
    }

    private static long assigned(DefaultMQPushConsumer consumer, String topic) {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
            .filter(queue -> queue.getTopic().equals(topic)).count();
    }
}
