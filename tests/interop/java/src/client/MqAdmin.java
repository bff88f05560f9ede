import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Runs stock mqadmin commands in one JVM and checks what each prints.
 *
 * <pre>java -cp CP MqAdmin namesrvAddr script [NAME=value ...]</pre>
 *
 * Before the script it makes a topic with messages, a consumer group and a producer that stay online, and gives the
 * script their names: NAMESRV BROKER_A BROKER_B TOPIC GROUP PRODUCER CLIENT MSG_ID UNIQ_KEY KEY.
 *
 * A script has one command a line, blank-separated words ('...' keeps blanks), then indented lines with what the
 * output must contain: "= text" a regular expression, "! text" one that must not be found, "> NAME regex" keeps
 * group 1 as $NAME for later lines. A line "~ 10" before them repeats the command until they hold, for 10 seconds.
 * Exceptions in the output fail a command unless a "? text" line expects them. # starts a comment.
 */
public final class MqAdmin {
    private static final Pattern EXCEPTION = Pattern.compile("(?m)^([\\w.]+Exception(:|$)|Caused by:).*");

    private final String namesrv;
    private final java.util.Map<String, String> names = new java.util.TreeMap<>(java.util.Comparator.reverseOrder());
    private volatile String running;
    private volatile ByteArrayOutputStream captured;
    private boolean ok = true;

    private MqAdmin(String namesrv) {
        this.namesrv = namesrv;
    }

    public static void main(String[] args) throws Exception {
        MqAdmin runner = new MqAdmin(args[0]);
        runner.names.put("NAMESRV", args[0]);
        runner.fixture();
        PrintStream out = System.out;
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            if (runner.running != null) {
                out.println("FAIL mqadmin " + runner.running + ": it ended the process\n" + runner.captured.toString().indent(4));
                out.flush();
            }
        }));
        for (int i = 2; i < args.length; i++) {
            String[] parts = args[i].split("=", 2);
            runner.names.put(parts[0], parts[1]);
        }
        List<String> block = new ArrayList<>();
        List<String> lines = new ArrayList<>(Files.readAllLines(Path.of(args[1])));
        lines.add("end");
        for (String line : lines) {
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            if (!line.startsWith(" ") && !block.isEmpty()) {
                runner.command(block);
                block.clear();
            }
            block.add(line);
        }
        System.out.flush();
        Runtime.getRuntime().halt(runner.ok ? 0 : 1);
    }

    private void fixture() throws Exception {
        Env env = new Env(new Shared(namesrv), java.util.Map.of(), "fixture");
        var masters = env.masters();
        names.put("BROKER_A", masters.get("broker-a"));
        names.put("BROKER_B", masters.get("broker-b"));
        String topic = env.topic("mqadmin", 4);
        String group = env.unique("g-mqadmin");
        Received received = new Received();
        var consumer = received.start(env.push(group), topic, "*");
        env.sendMany(topic, "m", 16);
        var message = env.message(topic, "tagA", "keyed");
        message.setKeys("the-key");
        var sent = env.producer.send(message);
        env.eventually("messages consumed", 60, () -> received.count() == 17);
        env.eventually("offsets committed", 60, () -> env.admin.examineConsumeStats(group, topic).computeTotalDiff() == 0);
        names.put("TOPIC", topic);
        names.put("GROUP", group);
        names.put("PRODUCER", env.producer.getProducerGroup());
        names.put("CLIENT", consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId());
        names.put("MSG_ID", sent.getOffsetMsgId());
        names.put("UNIQ_KEY", sent.getMsgId());
        names.put("KEY", "the-key");
    }

    private void command(List<String> block) throws Exception {
        String command = substitute(block.get(0));
        long deadline = System.nanoTime();
        for (String check : block) {
            if (check.strip().startsWith("~")) {
                deadline += Long.parseLong(check.strip().substring(1).strip()) * 1_000_000_000L;
            }
        }
        String reason;
        String output;
        do {
            output = run(words(command));
            reason = verdict(block, output);
        } while (reason != null && System.nanoTime() < deadline);
        if (reason == null) {
            System.out.println("PASS mqadmin " + command);
        } else {
            ok = false;
            System.out.println("FAIL mqadmin " + command + ": " + reason + "\n" + output.indent(4));
        }
    }

    private String verdict(List<String> block, String output) {
        boolean exceptionExpected = false;
        for (String line : block.subList(1, block.size())) {
            String check = line.strip();
            String text = substitute(check.substring(1).strip());
            switch (check.charAt(0)) {
                case '~' -> { }
                case '=', '?' -> {
                    exceptionExpected |= check.charAt(0) == '?';
                    if (!find(text, output).find()) {
                        return "does not contain " + text;
                    }
                }
                case '!' -> {
                    if (find(text, output).find()) {
                        return "contains " + text;
                    }
                }
                case '>' -> {
                    String[] parts = text.split(" ", 2);
                    var matcher = find(parts[1], output);
                    if (!matcher.find()) {
                        return "does not contain " + parts[1];
                    }
                    names.put(parts[0], matcher.group(1));
                }
                default -> {
                    return "bad line in the script: " + check;
                }
            }
        }
        var exception = EXCEPTION.matcher(output);
        return !exceptionExpected && exception.find() ? "unexpected " + exception.group() : null;
    }

    private static java.util.regex.Matcher find(String regex, String output) {
        return Pattern.compile(regex, Pattern.MULTILINE).matcher(output);
    }

    private String substitute(String line) {
        for (var name : names.entrySet()) {
            line = line.replace("$" + name.getKey(), name.getValue());
        }
        return line;
    }

    private static String[] words(String command) {
        List<String> words = new ArrayList<>();
        var matcher = Pattern.compile("'([^']*)'|(\\S+)").matcher(command);
        while (matcher.find()) {
            words.add(matcher.group(1) != null ? matcher.group(1) : matcher.group(2));
        }
        return words.toArray(String[]::new);
    }

    private String run(String[] words) {
        System.setProperty("rocketmq.namesrv.addr", namesrv);
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        captured = bytes;
        running = String.join(" ", words);
        PrintStream capture = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        System.setOut(capture);
        System.setErr(capture);
        try {
            MQAdminStartup.main0(words, null);
        } finally {
            running = null;
            System.setOut(out);
            System.setErr(err);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
