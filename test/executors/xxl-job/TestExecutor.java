import com.xxl.job.core.context.XxlJobHelper;
import com.xxl.job.core.executor.impl.XxlJobSimpleExecutor;
import com.xxl.job.core.handler.annotation.XxlJob;
import java.util.List;

/** An executor as users of XXL-JOB write them, without a framework; the same source for all versions. */
public final class TestExecutor {
    @XxlJob("hello")
    public void hello() {
        say("hello");
        XxlJobHelper.log("greeting {}", XxlJobHelper.getJobParam());
        XxlJobHelper.handleSuccess("hello " + XxlJobHelper.getJobParam());
    }

    @XxlJob("quiet")
    public void quiet() {
        say("quiet");
    }

    @XxlJob("fail")
    public void fail() {
        XxlJobHelper.handleFail("the disk is full");
    }

    @XxlJob("throw")
    public void raise() {
        throw new IllegalStateException("no such month");
    }

    @XxlJob("sleep")
    public void sleep() throws InterruptedException {
        say("sleep");
        Thread.sleep((long) (Double.parseDouble(XxlJobHelper.getJobParam()) * 1000));
        XxlJobHelper.handleSuccess("slept");
    }

    private static void say(String handler) {
        System.out.printf("%s: item %d of %d: %s%n", handler, XxlJobHelper.getShardIndex(), XxlJobHelper.getShardTotal(),
            XxlJobHelper.getJobParam());
    }

    public static void main(String[] arguments) throws InterruptedException {
        int port = Integer.parseInt(System.getenv("EXECUTOR_PORT"));
        XxlJobSimpleExecutor executor = new XxlJobSimpleExecutor();
        executor.setAdminAddresses(System.getenv("EXECUTOR_ADMIN"));
        executor.setAccessToken(System.getenv("EXECUTOR_TOKEN"));
        executor.setAppname(System.getenv("EXECUTOR_NAME"));
        executor.setIp("127.0.0.1");
        executor.setPort(port);
        executor.setLogPath(System.getenv("EXECUTOR_LOGS"));
        executor.setLogRetentionDays(30);
        executor.setXxlJobBeanList(List.of(new TestExecutor()));
        executor.start();
        System.out.println("listening on " + port);
        Thread.currentThread().join();
    }
}
