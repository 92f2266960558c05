// A server with Kestrel: peer_dotnet_http PORT KIND, or --version

using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Npgsql;

if (args is ["--version"])
{
    Console.WriteLine(Environment.Version);
    return 0;
}
string[] kinds = ["http", "https", "websocket", "websocket-tls", "sse", "long-poll", "database"];
if (args.Length != 2 || !int.TryParse(args[0], out int port) || !kinds.Contains(args[1]))
{
    Console.Error.WriteLine("usage: peer_dotnet_http PORT KIND");
    return 2;
}
string kind = args[1];

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseKestrelHttpsConfiguration();
builder.WebHost.ConfigureKestrel(options => options.Listen(IPAddress.Loopback, port, listen =>
{
    listen.Protocols = HttpProtocols.Http1;
    if (kind is "https" or "websocket-tls")
    {
        listen.UseHttps(X509Certificate2.CreateFromPemFile(
            Environment.GetEnvironmentVariable("TLS_CERTIFICATE")!, Environment.GetEnvironmentVariable("TLS_KEY")));
    }
}));
var app = builder.Build();
switch (kind)
{
    case "websocket" or "websocket-tls":
        app.UseWebSockets();
        app.MapGet("/", Echo);
        break;
    case "sse":
        app.MapGet("/", Events);
        break;
    case "long-poll":
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        app.MapGet("/", async (HttpContext context) =>
        {
            await release.Task.WaitAsync(context.RequestAborted);
            return "Hello, world!";
        });
        app.MapGet("/release", () =>
        {
            Interlocked.Exchange(ref release, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
            return "Hello, world!";
        });
        break;
    case "database":
        var database = OpenDatabase(Environment.GetEnvironmentVariable("DATABASE_URL")!);
        app.MapGet("/items/{id:long}", async (long id) =>
        {
            await using var command = database.CreateCommand("SELECT id, name, price FROM items WHERE id = $1");
            command.Parameters.Add(new() { Value = id });
            await using var rows = await command.ExecuteReaderAsync();
            return await rows.ReadAsync()
                ? Results.Ok(new Item(rows.GetInt64(0), rows.GetString(1), rows.GetDouble(2)))
                : Results.NotFound();
        });
        break;
    default:
        app.MapGet("/", () => "Hello, world!");
        break;
}
await app.RunAsync();
return 0;

// A pool of 16 connections. Waiting for one fails after 15 s by default, and a command after 30 s.
static NpgsqlDataSource OpenDatabase(string url)
{
    var at = new Uri(url);
    return NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder
    {
        Host = at.Host,
        Port = at.Port,
        Username = at.UserInfo,
        Database = at.AbsolutePath[1..],
        MaxPoolSize = 16,
        Timeout = 600,
        CommandTimeout = 600,
    });
}

static async Task Echo(HttpContext context)
{
    if (!context.WebSockets.IsWebSocketRequest)
    {
        context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
        return;
    }
    using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
    var buffer = new byte[4096]; // as in the examples of its documentation
    try
    {
        for (;;)
        {
            var got = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
            if (got.MessageType == WebSocketMessageType.Close)
            {
                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
                return;
            }
            await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage,
                context.RequestAborted);
        }
    }
    catch (Exception gone) when (gone is WebSocketException or OperationCanceledException)
    {
    }
}

static async Task Events(HttpContext context)
{
    context.Response.ContentType = "text/event-stream";
    for (int i = 0; i < 10; ++i)
    {
        await context.Response.WriteAsync("data: an event of a stream that is weighed\n\n", context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }
    try
    {
        await Task.Delay(Timeout.Infinite, context.RequestAborted);
    }
    catch (OperationCanceledException)
    {
    }
}

internal sealed record Item(long Id, string Name, double Price);
