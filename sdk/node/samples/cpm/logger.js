'use strict';

// What the library needs of a logger. Mojaloop's services use @mojaloop/central-services-logger.
const logger = { isDebugEnabled: false, child: () => logger, debug() {}, verbose() {}, info() {}, warn() {}, error() {} };

module.exports = logger;
