import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Runs named scenarios of a stock client against any NameServer.
 *
 * <pre>java -cp CP Scenarios namesrvAddr [key=value ...] scenario|family ...</pre>
 *
 * Prints one line per check, and PASS name or FAIL name reason for each scenario. Exit code 0 if all passed.
 * Options: threads=N (scenarios at the same time, default 1), messageDelayLevel=... (as the brokers have it).
 */
public final class Scenarios {
    interface Body {
        void run(Env env) throws Exception;
    }

    private final Map<String, Body> known = new LinkedHashMap<>();

    void add(String name, Body body) {
        known.put(name, body);
    }

    private Scenarios() {
        Send.register(this);
        Fields.register(this);
        Consume.register(this);
        Rebalance.register(this);
        Orderly.register(this);
        Retry.register(this);
        Pull.register(this);
        Lite.register(this);
        Delay.register(this);
        Query.register(this);
        Offsets.register(this);
        Admin.register(this);
    }

    public static void main(String[] args) throws Exception {
        Scenarios scenarios = new Scenarios();
        Map<String, String> options = new LinkedHashMap<>();
        List<String> wanted = new ArrayList<>();
        for (int i = 1; i < args.length; i++) {
            int eq = args[i].indexOf('=');
            if (eq > 0) {
                options.put(args[i].substring(0, eq), args[i].substring(eq + 1));
            } else {
                wanted.addAll(scenarios.named(args[i]));
            }
        }
        if (args.length == 0 || wanted.isEmpty()) {
            System.out.println("known scenarios: " + String.join(" ", scenarios.known.keySet()));
            System.exit(2);
        }
        boolean ok = scenarios.run(args[0], options, wanted);
        System.out.flush();
        Runtime.getRuntime().halt(ok ? 0 : 1);
    }

    private List<String> named(String name) {
        List<String> found = known.keySet().stream()
            .filter(k -> k.equals(name) || k.startsWith(name + ".") || name.equals("all")).toList();
        if (found.isEmpty()) {
            System.out.println("FAIL " + name + " no such scenario");
            System.exit(2);
        }
        return found;
    }

    private boolean run(String namesrv, Map<String, String> options, List<String> wanted) throws Exception {
        int threads = Integer.parseInt(options.getOrDefault("threads", "1"));
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        Shared shared = new Shared(namesrv);
        List<Future<Boolean>> results = new ArrayList<>();
        for (String name : wanted) {
            results.add(pool.submit(() -> one(shared, options, name)));
        }
        boolean ok = true;
        for (Future<Boolean> result : results) {
            ok &= result.get();
        }
        shared.close();
        pool.shutdown();
        return ok;
    }

    private boolean one(Shared shared, Map<String, String> options, String name) {
        long start = System.currentTimeMillis();
        Env env = new Env(shared, options, name);
        try {
            known.get(name).run(env);
            env.close();
            System.out.println("PASS " + name + " (" + (System.currentTimeMillis() - start) + " ms)");
            return true;
        } catch (Throwable e) {
            String reason = e instanceof Env.Failed ? e.getMessage() : e.toString();
            System.out.println("FAIL " + name + " " + reason.replace('\n', ' '));
            if (!(e instanceof Env.Failed)) {
                e.printStackTrace();
            }
            env.close();
            return false;
        }
    }
}
