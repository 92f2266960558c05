// The workloads of bench/README.md on .NET: tasks.
//
//   peer_dotnet [--value-task] WORKLOAD N
//   peer_dotnet --version

using System.Diagnostics;
using System.Runtime;

const int churnAlive = 100_000;
const int churnRound = 1_000;

bool valueTasks = args.Length > 0 && args[0] == "--value-task";
string[] rest = valueTasks ? args[1..] : args;
if (rest is ["--version"])
{
    Console.WriteLine(Environment.Version);
    return 0;
}
var workloads = new Dictionary<string, Func<Task>>
{
    ["empty"] = Sleepers.Sleep,
    ["handler-at-read"] = () => Handler.AsWritten(Parking.ForEver, Parking.AtOnce),
    ["handler-at-query"] = () => Handler.AsWritten(Parking.AtOnce, Parking.ForEver),
    ["trimmed-at-read"] = () => Handler.Trimmed(Parking.ForEver, Parking.AtOnce),
    ["trimmed-at-query"] = () => Handler.Trimmed(Parking.AtOnce, Parking.ForEver),
    ["nested-at-leaf"] = () => Nested.Run(Parking.AtOnce, Parking.ForEver),
    ["nested-at-top"] = () => Nested.Run(Parking.ForEver, Parking.AtOnce),
    ["churn"] = Sleepers.Sleep,
};
if (rest.Length != 2 || !int.TryParse(rest[1], out int n) || n < 0 ||
    !(workloads.ContainsKey(rest[0]) || rest[0] == "mostly-ready"))
{
    Console.Error.WriteLine("usage: peer_dotnet [--value-task] WORKLOAD N");
    return 2;
}
string workload = rest[0];

if (workload == "mostly-ready")
{
    await MostlyReady.Run(n, valueTasks);
    Say("READY");
    await Task.Delay(Parking.ForEver);
    return 0;
}

int count = workload == "churn" ? churnAlive : n;
Func<Task> make = workloads[workload];
var all = new Task[count];
var clock = Stopwatch.StartNew();
for (int i = 0; i < count; ++i) all[i] = make();
while (Volatile.Read(ref Parking.Parked) < count) await Task.Delay(Parking.AtOnce);
Say($"spawn_seconds={clock.Elapsed.TotalSeconds}");
if (workload == "churn") await Churn(n);
// Garbage is not part of the weight of the tasks.
GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
Say("READY");
await Task.WhenAll(all);
return 0;

static void Say(string line)
{
    Console.Out.WriteLine(line);
    Console.Out.Flush();
}

static async Task Churn(int n)
{
    var clock = Stopwatch.StartNew();
    for (int done = 0; done < n; done += churnRound)
    {
        var round = new Task[Math.Min(churnRound, n - done)];
        for (int i = 0; i < round.Length; ++i) round[i] = Sleepers.Short(done + i);
        await Task.WhenAll(round);
    }
    Say($"seconds={clock.Elapsed.TotalSeconds}");
}

internal static class Parking
{
    public static readonly TimeSpan ForEver = TimeSpan.FromHours(1);
    public static readonly TimeSpan AtOnce = TimeSpan.FromMilliseconds(1);
    public static int Parked;
    public static long Checksum;

    /// Counts the tasks when they are suspended.
    public static Task Pause(TimeSpan length)
    {
        if (length == ForEver) Interlocked.Increment(ref Parked);
        return Task.Delay(length);
    }
}

internal static class Sleepers
{
    public static async Task Sleep() => await Parking.Pause(Parking.ForEver);

    public static async Task Short(int i)
    {
        await Task.Yield();
        Interlocked.Add(ref Parking.Checksum, i);
    }
}

internal static class Handler
{
    private const int RequestSize = 1024;

    private static int Arrive(byte[] buffer)
    {
        Array.Fill(buffer, (byte)7, 0, RequestSize);
        return RequestSize;
    }

    // Stream.ReadAsync(buffer). With an empty buffer it is a read of zero bytes, which completes when there is
    // something to read.
    private static async Task<int> Read(byte[] buffer, TimeSpan untilArrival)
    {
        await Parking.Pause(untilArrival);
        return buffer.Length == 0 ? 0 : Arrive(buffer);
    }

    private static long KeyOf(ReadOnlySpan<byte> request)
    {
        long key = 0;
        foreach (byte one in request) key = key * 31 + one;
        return key;
    }

    private static async Task<long> Query(long key, TimeSpan latency)
    {
        await Parking.Pause(latency);
        return key * 31 + 7;
    }

    private static byte[] BuildResponse(long row, byte id)
    {
        var response = new byte[2048];
        response[0] = id;
        for (int i = 1; i < RequestSize; ++i) response[i] = (byte)(row >> (i % 8 * 8));
        return response;
    }

    private static async Task Write(ReadOnlyMemory<byte> response)
    {
        await Parking.Pause(Parking.AtOnce);
        Interlocked.Add(ref Parking.Checksum, response.Span[RequestSize - 1]);
    }

    public static async Task AsWritten(TimeSpan untilArrival, TimeSpan latency)
    {
        var request = new byte[4096];
        int size = await Read(request, untilArrival);
        long row = await Query(KeyOf(request.AsSpan(0, size)), latency);
        byte[] response = BuildResponse(row, request[0]);
        await Write(response.AsMemory(0, RequestSize));
    }

    private static (long Key, byte Id) Take()
    {
        var request = System.Buffers.ArrayPool<byte>.Shared.Rent(4096);
        int size = Arrive(request);
        var taken = (KeyOf(request.AsSpan(0, size)), request[0]);
        System.Buffers.ArrayPool<byte>.Shared.Return(request);
        return taken;
    }

    public static async Task Trimmed(TimeSpan untilArrival, TimeSpan latency)
    {
        await Read([], untilArrival);
        (long key, byte id) = Take();
        long row = await Query(key, latency);
        byte[] response = BuildResponse(row, id);
        await Write(response.AsMemory(0, RequestSize));
    }
}

internal static class Nested
{
    private static async Task<long> Level(int level, long value, TimeSpan atLeaf)
    {
        if (level == 1)
        {
            await Parking.Pause(atLeaf);
            return value;
        }
        return value + await Level(level - 1, value + 1, atLeaf);
    }

    public static async Task Run(TimeSpan atTop, TimeSpan atLeaf)
    {
        if (atTop == Parking.ForEver) await Parking.Pause(atTop);
        Interlocked.Add(ref Parking.Checksum, await Level(8, 1, atLeaf));
    }
}

internal static class MostlyReady
{
    private static async Task<long> LookUp(long i)
    {
        if (i % 100 == 0) await Task.Yield();
        return i;
    }

    private static async ValueTask<long> LookUpValue(long i)
    {
        if (i % 100 == 0) await Task.Yield();
        return i;
    }

    public static async Task Run(int n, bool valueTasks)
    {
        long sum = 0;
        long before = GC.GetTotalAllocatedBytes(precise: true);
        var clock = Stopwatch.StartNew();
        if (valueTasks)
            for (int i = 0; i < n; ++i) sum += await LookUpValue(i);
        else
            for (int i = 0; i < n; ++i) sum += await LookUp(i);
        double seconds = clock.Elapsed.TotalSeconds;
        long bytes = GC.GetTotalAllocatedBytes(precise: true) - before;
        Interlocked.Add(ref Parking.Checksum, sum);
        Console.WriteLine($"seconds={seconds}\nallocated_bytes={bytes}");
    }
}
