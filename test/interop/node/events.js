'use strict';

// The event service of Mojaloop's own event-sdk (version 14.8.5 comes with generation c). Prints its port, then each message
// it was sent, as JSON lines; ends with stdin.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const { EventLoggingServiceServer } = require('@mojaloop/event-sdk/dist/transport/EventLoggingServiceServer');
const grpc = require('@grpc/grpc-js');

const service = new EventLoggingServiceServer('127.0.0.1', 0);
service.on('eventReceived', (message) => write(`${JSON.stringify(message)}\n`));
service.server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  write(`${port}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
