import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The HTTP in front of an executor. */
public final class ExecutorServer {
    private static final long LONGEST_WAIT_SECONDS = 30;
    private static final int LONGEST_BODY = 1024 * 1024;
    private static final Pattern PATH = Pattern.compile("/run(?:/([^/]+))?");
    private static final Pattern WAIT = Pattern.compile("wait=(\\d{1,3})");

    private final Executor executor;

    private ExecutorServer(Executor executor) {
        this.executor = executor;
    }

    /** Listens, and leaves in an orderly way when the process is asked to end; returns the port. */
    public static int serve(Executor executor, String host, int port) throws IOException {
        // Head and body of an answer go out as they come, instead of one waiting for the other's acknowledgement.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        HttpServer server = HttpServer.create(new InetSocketAddress(host, port), 128);
        server.createContext("/", new ExecutorServer(executor)::handle);
        server.setExecutor(Executors.newCachedThreadPool(Executor::daemon));
        Runtime.getRuntime().addShutdownHook(new Thread(executor::leave));
        server.start();
        return server.getAddress().getPort();
    }

    private void handle(HttpExchange exchange) throws IOException {
        Executor.Answer answer;
        try {
            answer = answer(exchange);
        } catch (RuntimeException | InterruptedException error) {
            answer = Executor.Answer.of(400, String.valueOf(error.getMessage()));
        }
        byte[] data = Json.write(answer.body()).getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("content-type", "application/json");
        exchange.sendResponseHeaders(answer.status(), data.length);
        exchange.getResponseBody().write(data);
        exchange.close();
    }

    @SuppressWarnings("unchecked")
    private Executor.Answer answer(HttpExchange exchange) throws IOException, InterruptedException {
        String path = exchange.getRequestURI().getRawPath();
        String method = exchange.getRequestMethod();
        byte[] body = exchange.getRequestBody().readNBytes(LONGEST_BODY + 1);
        if (path.equals("/healthz")) return new Executor.Answer(200, Map.of());
        if (!executor.allows(exchange.getRequestHeaders().getFirst("authorization"))) return Executor.Answer.of(401, "the token is wrong");
        if (body.length > LONGEST_BODY) return Executor.Answer.of(400, "a request has at most " + LONGEST_BODY + " bytes");
        Matcher found = PATH.matcher(path);
        if (!found.matches()) return Executor.Answer.of(404, "there is only /run");
        if (method.equals("POST") != (found.group(1) == null))
            return Executor.Answer.of(405, "/run takes POST only, and a task takes GET and DELETE only");
        if (found.group(1) == null) return executor.start((Map<String, Object>) Json.read(new String(body, StandardCharsets.UTF_8)));
        String id = URLDecoder.decode(found.group(1).replace("+", "%2B"), StandardCharsets.UTF_8);
        if (method.equals("DELETE")) executor.cancel(id);
        Matcher wait = WAIT.matcher(String.valueOf(exchange.getRequestURI().getRawQuery()));
        return executor.wait(id, wait.find() ? Math.min(LONGEST_WAIT_SECONDS, Long.parseLong(wait.group(1))) * 1000 : 0);
    }
}
