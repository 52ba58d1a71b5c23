import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** An executor of resident jobs on the JDK alone: see docs/executor-protocol.md. What HTTP says and hears is in ExecutorServer. */
public final class Executor {
    /** A request that comes again is answered with what is remembered, at least so long after the end of its task. */
    private static final long REMEMBER_SECONDS = 900;
    /** A task that ends so soon is answered at once. */
    private static final long QUICK_MILLIS = 1000;
    /** After SIGTERM: so long results can still be asked for. */
    private static final long LINGER_MILLIS = 5000;

    /** Returns message, result and continue, or nothing; what it throws is a failure, and a cancelled task is an interrupted thread. */
    public interface Handler {
        Map<String, Object> run(Task task) throws Exception;
    }

    record Answer(int status, Map<String, Object> body) {
        static Answer of(int status, String message) {
            return new Answer(status, Map.of("message", message));
        }
    }

    private final Map<String, Handler> handlers;
    private final byte[] allowed;
    private final int capacity;
    private final Map<String, Task> tasks = new ConcurrentHashMap<>();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(Executor::daemon);
    private int atWork;
    private boolean leaving;

    /** An empty token = anybody may call. */
    public Executor(Map<String, Handler> handlers, String token, int capacity) {
        this.handlers = handlers;
        this.allowed = token.isEmpty() ? null : ("Bearer " + token).getBytes(StandardCharsets.UTF_8);
        this.capacity = capacity;
    }

    /** A job written for ElasticJob as a handler. */
    public static Handler simple(SimpleJob job) {
        return task -> {
            String name = String.valueOf(((Map<?, ?>) task.request.get("job")).get("name"));
            job.execute(new ShardingContext(name, task.id, task.number("total"), task.text("parameter"), task.number("item"),
                task.text("itemParameter")));
            return Map.of();
        };
    }

    boolean allows(String authorization) {
        return allowed == null || MessageDigest.isEqual(allowed, String.valueOf(authorization).getBytes(StandardCharsets.UTF_8));
    }

    Answer start(Map<String, Object> request) throws InterruptedException {
        if (!(request.get("task") instanceof String id) || id.isEmpty()) return Answer.of(400, "task must be a text");
        Task task;
        synchronized (this) {
            task = tasks.get(id);
            if (task == null) {
                Handler handler = handlers.get(String.valueOf(request.get("handler")));
                if (handler == null) return Answer.of(404, "there is no handler " + request.get("handler"));
                if (leaving) return Answer.of(429, "this executor is leaving");
                if (atWork >= capacity) return Answer.of(429, atWork + " tasks are at work, and no more are taken");
                long left = request.get("deadline") instanceof String text
                    ? Instant.parse(text).toEpochMilli() - System.currentTimeMillis() : Long.MAX_VALUE;
                // Somebody else may be at work on it by now.
                if (left <= 0) return Answer.of(410, "its deadline is over");
                Task made = task = new Task(id, request);
                tasks.put(id, made);
                atWork++;
                made.thread = daemon(() -> work(made, handler));
                made.thread.start();
                if (left < Long.MAX_VALUE) timer.schedule(() -> cancel(id), left, TimeUnit.MILLISECONDS);
            }
        }
        return told(task, QUICK_MILLIS);
    }

    Answer wait(String id, long millis) throws InterruptedException {
        Task task = tasks.get(id);
        return task == null ? Answer.of(404, "no such task") : told(task, millis);
    }

    synchronized void cancel(String id) {
        Task task = tasks.get(id);
        if (task == null || task.end != null) return;
        task.cancelled = true;
        task.thread.interrupt();
    }

    private void work(Task task, Handler handler) {
        Map<String, Object> end = new HashMap<>(Map.of("outcome", "Succeeded"));
        try {
            end.putAll(handler.run(task));
        } catch (Throwable error) {
            end = Map.of("outcome", "Failed", "message", String.valueOf(error.getMessage()));
        }
        synchronized (this) {
            task.end = task.cancelled ? Map.of("outcome", "Failed", "message", "cancelled") : end;
            atWork--;
        }
        task.ended.countDown();
        timer.schedule(() -> tasks.remove(task.id), REMEMBER_SECONDS, TimeUnit.SECONDS);
    }

    /** What there is to tell of a task, at the latest after so many milliseconds. */
    private static Answer told(Task task, long millis) throws InterruptedException {
        task.ended.await(millis, TimeUnit.MILLISECONDS);
        Map<String, Object> end = task.end;
        Map<String, Object> body = new HashMap<>(end == null ? task.news : end);
        body.put("task", task.id);
        return new Answer(end == null ? 202 : 200, body);
    }

    /** Takes nothing new, and returns when what is at work has ended and could be asked for. */
    void leave() {
        try {
            synchronized (this) {
                leaving = true;
            }
            while (busy()) Thread.sleep(100);
            Thread.sleep(LINGER_MILLIS);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized boolean busy() {
        return atWork > 0;
    }

    static Thread daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    }
}
