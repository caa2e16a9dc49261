// The addon; see native/.
'use strict';

module.exports = require('../build/thalweg.node');
