/** What a job of ElasticJob is told of its item. */
public final class ShardingContext {
    private final String jobName;
    private final String taskId;
    private final int shardingTotalCount;
    private final String jobParameter;
    private final int shardingItem;
    private final String shardingParameter;

    public ShardingContext(String jobName, String taskId, int total, String jobParameter, int item, String itemParameter) {
        this.jobName = jobName;
        this.taskId = taskId;
        this.shardingTotalCount = total;
        this.jobParameter = jobParameter;
        this.shardingItem = item;
        this.shardingParameter = itemParameter;
    }

    public String getJobName() { return jobName; }
    public String getTaskId() { return taskId; }
    public int getShardingTotalCount() { return shardingTotalCount; }
    public String getJobParameter() { return jobParameter; }
    public int getShardingItem() { return shardingItem; }
    public String getShardingParameter() { return shardingParameter; }
}
