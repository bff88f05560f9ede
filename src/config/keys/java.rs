//! Names that Java knows, read as setters from the 5.5.0 jars. A name that is implemented later need not be removed.

use super::{Refused, Section};

/// Keys whose neglect would lose, hide or expose messages.
pub(super) const REFUSED: &[Refused] = &[
    Refused { name: "enableControllerMode", allowed: "false", why: "controller mode is not supported by this version" },
    Refused {
        name: "duplicationEnable",
        allowed: "false",
        why: "duplication does not work in a container, in Java either",
    },
    Refused { name: "storeType", allowed: "default", why: "only Java's default file layout can be read and written" },
    Refused {
        name: "configManagerVersion",
        allowed: "v1",
        why: "only Java's JSON files under config/ can be read and written",
    },
    Refused { name: "messageStorePlugIn", allowed: "", why: "store plug-ins are Java classes" },
    Refused {
        name: "enableConsumeQueueExt",
        allowed: "false",
        why: "consume queues with extension files are not supported",
    },
    Refused {
        name: "aclEnable",
        allowed: "false",
        why: "access control is not supported, the broker would be open to everybody",
    },
    Refused {
        name: "authenticationEnabled",
        allowed: "false",
        why: "authentication is not supported, the broker would be open to everybody",
    },
    Refused {
        name: "authorizationEnabled",
        allowed: "false",
        why: "authorization is not supported, the broker would be open to everybody",
    },
];

/// Keys found in many published `.conf` files that no RocketMQ 5 reads.
pub(super) const FOLKLORE: &[(&str, &str)] = &[
    (
        "storePathConsumeQueue",
        "Java ignores this key: consume queues are always in consumequeue under storePathRootDir",
    ),
    ("storePathIndex", "Java ignores this key: the index is always in index under storePathRootDir"),
    ("storeCheckpoint", "Java ignores this key: the checkpoint is always in storePathRootDir"),
    ("abortFile", "Java ignores this key: the abort file is always in storePathRootDir"),
    ("mapedFileSizeCommitLog", "Java 5 ignores this spelling: write mappedFileSizeCommitLog"),
    ("mapedFileSizeConsumeQueue", "Java 5 ignores this spelling: write mappedFileSizeConsumeQueue"),
];

/// The names Java knows in `section` beyond the refused ones; implemented ones may be among them.
pub(super) fn names(section: Section) -> impl Iterator<Item = &'static str> {
    let lists: &[&'static str] = match section {
        Section::Container => &[CONTAINER_CONFIG, NETTY_SERVER_CONFIG, NETTY_CLIENT_CONFIG],
        Section::Http => &[],
        Section::Namesrv => &[NAMESRV_CONFIG, NETTY_SERVER_CONFIG, NETTY_CLIENT_CONFIG],
        Section::Broker => &[
            BROKER_CONFIG,
            MESSAGE_STORE_CONFIG,
            AUTH_CONFIG,
            NETTY_SERVER_CONFIG,
            NETTY_CLIENT_CONFIG,
            READ_FROM_PROPERTIES,
        ],
    };
    lists.iter().flat_map(|list| list.split_ascii_whitespace())
}

/// Names that `BrokerContainerStartup` and `BrokerStartup` read from the properties themselves.
const READ_FROM_PROPERTIES: &str = "
    bindAddress rmqAddressServerDomain rmqAddressServerSubGroup
";

/// `BrokerConfig`.
const BROKER_CONFIG: &str = "
    accountStatsEnable accountStatsPrintZeroValues ackMessageThreadPoolNums ackThreadPoolQueueCapacity
    adminBrokerThreadPoolNums adminBrokerThreadPoolQueueCapacity allowRecallWhenBrokerNotWriteable appendAckAsync
    appendCkAsync asyncSendEnable autoDeleteUnusedStats broadcastOffsetExpireMaxSecond broadcastOffsetExpireSecond
    brokerConfigPath brokerElectionPriority brokerFastFailureEnable brokerNotActiveTimeoutMillis cgColdReadThreshold
    channelExpiredTimeout checkSyncStateSetPeriod cleanOfflineBrokerInterval clearRetryTopicWhenDeleteTopic
    clientManagerThreadPoolQueueCapacity clientManageThreadPoolNums coldCtrStrategyEnable commercialBaseCount
    commercialSizePerMsg compatibleWithOldNameSrv compressedRegister consumerFallbehindThreshold
    consumerManagerThreadPoolQueueCapacity consumerManageThreadPoolNums consumerOffsetUpdateVersionStep controllerAddr
    controllerHeartBeatTimeoutMills defaultMessageRequestMode defaultPopShareQueueNum delayOffsetUpdateVersionStep
    disableConsumeIfConsumerReadSlowly enableBroadcastOffsetStore enableCalcFilterBitMap enableConnectionMetrics
    enableCreateSysGroup enableDetailStat enableFastChannelEventProcess enableLagAndDlqMetrics enableLiteEventMode
    enableLitePopLog enableLmqStats enableMessageStoreMetrics enableMixedMessageType enableNetWorkFlowControl
    enableNotifyAfterPopOrderLockRelease enableNotifyBeforePopCalculateLag enablePopBatchAck enablePopBufferMerge
    enablePopLog enablePopMessageThreshold enablePopMetrics enablePropertyFilter enableRegisterProducer
    enableRemoteEscape enableRemotingMetrics enableRequestMetrics enableRetryTopicV2 enableSingleTopicRegister
    enableSkipLongAwaitingAck enableSlaveActingMaster enableSplitMetadata enableSplitRegistration enableStatsMetrics
    enableTransactionMetrics endTransactionPoolQueueCapacity endTransactionThreadPoolNums estimateAccumulation
    expectConsumerNumUseFilter fetchControllerAddrByDnsLookup fetchNamesrvAddrByAddressServer
    fetchNameSrvAddrByDnsLookup fetchNamesrvAddrInterval filterDataCleanTimeSpan filterSupportRetry
    flushConsumerOffsetHistoryInterval forwardTimeout globalColdReadThreshold heartbeatThreadPoolNums
    heartbeatThreadPoolQueueCapacity highSpeedMode inBrokerContainer initPopOffsetByCheckMsgInMem isolateLogEnable
    liteEventCheckInterval liteEventFullDispatchDelayTime liteEventFullDispatchDelayTimeForWildcardGroup
    liteLagCountMetricsEnable liteLagLatencyCollectEnable liteLagLatencyMetricsEnable liteLagLatencyTopK
    litePullMessageEnable litePullMessageThreadPoolNums litePullThreadPoolQueueCapacity liteSubscriptionCheckInterval
    liteSubscriptionCheckTimeoutMills liteTtlCheckInterval loadBalancePollNameServerInterval
    loadBalanceProcessorThreadPoolNums loadBalanceThreadPoolQueueCapacity lockInStrictMode maxClientEventCount
    maxErrorRateOfBloomFilter maxLiteSubscriptionCount maxMessageFilterNumForNotification maxPopPollingSize
    maxStatsIdleTimeInMinutes metricGrpcExporterIntervalInMills metricGrpcExporterTimeOutInMills
    metricLoggingExporterIntervalInMills metricsExportBatchMaxDataPoints metricsExporterType metricsGrpcExporterHeader
    metricsGrpcExporterTarget metricsInDelta metricsLabel metricsOtelCardinalityLimit metricsPromExporterHost
    metricsPromExporterPort minLiteTTl namesrvAddr persistConsumerOffsetIncrementally popCkMaxBufferSize
    popCkOffsetMaxQueueSize popCkStayBufferTime popCkStayBufferTimeOut popConsumerFSServiceInit
    popConsumerKVServiceEnable popConsumerKVServiceInit popConsumerKVServiceLog popFromRetryProbability
    popFromRetryProbabilityForPriority popInflightMessageThreshold popLongPollingForceNotifyInterval
    popPollingMapExpireTimeSeconds popPollingMapSize popPollingSize popResponseReturnActualRetryTopic
    popReviveConcurrency popReviveMaxAttemptTimes popReviveMaxReturnSizePerRead popReviveSkipIfGroupAbsent
    printChannelGroups printChannelGroupsMinNum priorityOrderAsc processReplyMessageThreadPoolNums
    pullMessageThreadPoolNums putMessageFutureThreadPoolNums putThreadPoolQueueCapacity queryMessageThreadPoolNums
    queryThreadPoolQueueCapacity realTimeNotifyConsumerChange recallMessageEnable recoverConcurrently
    recoverThreadPoolNums rejectPullConsumerEnable replyThreadPoolQueueCapacity retrieveMessageFromPopRetryTopicV1
    reviveAckWaitMs reviveInterval reviveMaxSlow reviveQueueNum reviveScanTime rocketmqHome sendMessageThreadPoolNums
    serverLoadBalancerEnable skipPreOnline skipWhenCKRePutReachMaxTimes splitMetadataSize splitRegistrationSize
    startAcceptSendRequestTimeStamp storeReplyMessageEnable subscriptionExpiredTimeout syncBrokerMemberGroupPeriod
    syncBrokerMetadataPeriod syncControllerMetadataPeriod transactionCheckInterval transactionCheckMax
    transactionCheckRocksdbCoreThreads transactionCheckRocksdbMaxThreads transactionCheckRocksdbQueueCapacity
    transactionMetricFlushInterval transactionOpBatchInterval transactionOpMsgMaxSize transactionTimeOut
    transferMsgByHeap updateNameServerAddrPeriod useMessageFilterForNotification usePIDColdCtrStrategy
    useSeparateRetryQueue useServerSideResetOffset useSingleRocksDBForAllConfigs useStaticSubscription
    validateSystemTopicWhenUpdateTopic waitTimeMillsInAckQueue waitTimeMillsInAdminBrokerQueue
    waitTimeMillsInHeartbeatQueue waitTimeMillsInLitePullQueue waitTimeMillsInPullQueue
    waitTimeMillsInTransactionQueue
";

/// `MessageStoreConfig`.
const MESSAGE_STORE_CONFIG: &str = "
    accessMessageInMemoryHotRatio allAckInSyncStateSet appendTopicForTimerDeleteKey asyncLearner
    autoMessageVersionOnTopicLen batchDispatchRequestThreadPoolNums bitMapLengthConsumeQueueExt
    bottomMostCompressionTypeForConsumeQueueStore checkCommitLogOffsetOnRecover cleanRocksDBDirtyCQIntervalMin
    cleanSwapedMapInterval coldDataFlowControlEnable coldDataScanEnable combineAssignOffsetCQType
    combineCQEnableCheckSelf combineCQLoadingCQTypes combineCQMaxExtraSearchCommitLogFiles combineCQPreferCQType
    combineCQUseRocksdbForLmq commitCommitLogLeastPages commitCommitLogThoroughInterval commitIntervalCommitLog
    commitLogForceSwapMapInterval commitLogRecoverMaxNum commitLogSwapMapInterval commitLogSwapMapReserveFileNum
    compactionCqMappedFileSize compactionMappedFileSize compactionScheduleInternal compactionThreadNum
    correctLogicMinOffsetForceInterval correctLogicMinOffsetSleepInterval dataReadAheadEnable debugLockEnable
    defaultQueryMaxNum deleteConsumeQueueFilesInterval disappearTimeAfterStart diskFallRecorded dispatchCqCacheNum
    dispatchCqThreads dispatchFromSenderThread dLegerGroup dLegerPeers dLegerSelfId enableAcceleratedRecovery
    enableAsyncReput enableAutoInSyncReplicas enableBatchPush enableBuildConsumeQueueConcurrently
    enableCleanExpiredOffset enableCompaction enabledAppendPropCRC enableLmq enableLmqQuota
    enableLogConsumeQueueRepeatedlyBuildWhenRecover enableMultiDispatch enableRocksDBLog enableRunningFlagsInFlush
    enableScheduleAsyncDeliver enableScheduleMessageStats fastFailIfNoBufferInStorePool flushCommitLogTimed
    flushLeastPagesWhenWarmMapedFile forceVerifyPropCRC haFlowControlEnable haHousekeepingInterval haMasterAddress
    haMaxGapNotInSync haMaxTimeSlaveNotCatchup haSendHeartbeatInterval haTransferBatchSize indexFileReadEnable
    indexFileWriteEnable indexRocksDBEnable iteratorWhenUseRocksdbConsumeQueue logicalDiskSpaceCleanForciblyThreshold
    logicQueueForceSwapMapInterval logicQueueSwapMapInterval logicQueueSwapMapReserveFileNum
    mappedFileSizeConsumeQueueExt mappedFileSizeTimerLog mappedFileSwapEnable mapperFileSizeBatchConsumeQueue
    maxAsyncPutMessageRequests maxBatchDeleteFilesNum maxChecksumRange maxConsumeQueueScan maxFilterMessageSize
    maxHaTransferByteInSecond maxLmqConsumeQueueNum maxOffsetMapSize maxRecoveryCommitlogFiles
    maxRocksDBIndexQueryDays maxSlaveResendLength maxTopicLength memTableFlushIntervalMs offsetCheckInSlave
    preferredLeaderId pullBatchMaxMessageCount putConsumeQueueDataByFileChannel putMessageTimeout
    putMsgIndexHightWater readOnlyCommitLogStorePaths readUnCommitted realTimePersistRocksDBConfig
    recheckReputOffsetFromCq redeleteHangedFileInterval replicasPerDiskPartition rocksdbCompressionType
    rocksdbCQDoubleWriteEnable rocksdbFlushWalFrequency rocksdbWalFileRollingThreshold sampleCountThreshold
    sampleSteps scheduleAsyncDeliverMaxPendingLimit scheduleAsyncDeliverMaxResendNum2Blocked searchBcqByCacheEnable
    sharedByteBufferNum slaveTimeout spinLockCollisionRetreatOptimalDegree statRocksDBCQIntervalSec
    storePathBrokerIdentity storePathDLedgerCommitLog storePathEpochFile syncFromLastFile
    syncMasterFlushOffsetWhenStartup timerColdDataCheckIntervalMs timerCongestNumEachSlot timerEnableCheckMetrics
    timerEnableRetryUntilSuccess timerFlushIntervalMs timerGetMessageThreadNum timerInterceptDelayLevel
    timerMaxDelaySec timerMetricSmallThreshold timerPrecisionMs timerProgressLogIntervalMs timerPutMessageThreadNum
    timerRecallToTimelineEnable timerRecallToTimeWheelEnable timerReputServiceCorePoolSize
    timerReputServiceMaxPoolSize timerReputServiceQueueCapacity timerRocksDBEnable timerRocksDBPrecisionMs
    timerRocksDBRollIntervalHours timerRocksDBRollMaxTps timerRocksDBRollRangeHours timerRocksDBStopScan
    timerRocksDBTimeExpiredMaxTps timerRollWindowSlot timerSkipUnknownError timerStopEnqueue timerWheelEnable
    timerWheelSnapshotFlush timerWheelSnapshotIntervalMs topicQueueLockNum transientStorePoolEnable
    transientStorePoolSize transRocksDBEnable transWriteOriginTransHalfEnable travelCqFileNumWhenGetMessage useABSLock
    useReentrantLockWhenPutMessage useSeparateStorePathForRocksdbCQ wakeCommitWhenPutMessage wakeFlushWhenPutMessage
    warmMapedFileEnable writeWithoutMmap
";

/// `AuthConfig`.
const AUTH_CONFIG: &str = "
    aclCacheExpiredSecond aclCacheMaxNum aclCacheRefreshSecond authConfigPath authenticationMetadataProvider
    authenticationProvider authenticationStrategy authenticationWhitelist authorizationMetadataProvider
    authorizationProvider authorizationStrategy authorizationWhitelist clusterName configName initAuthenticationUser
    innerClientAuthenticationCredentials migrateAuthFromV1Enabled statefulAuthenticationCacheExpiredSecond
    statefulAuthenticationCacheMaxNum statefulAuthorizationCacheExpiredSecond statefulAuthorizationCacheMaxNum
    userCacheExpiredSecond userCacheMaxNum userCacheRefreshSecond
";

/// `BrokerContainerConfig`.
const CONTAINER_CONFIG: &str = "
    fetchNamesrvAddrByAddressServer fetchNameSrvAddrByDnsLookup fetchNamesrvAddrInterval updateNamesrvAddrInterval
";

/// `NettyServerConfig` but `listenPort` and `bindAddress`, which every server here has.
const NETTY_SERVER_CONFIG: &str = "
    enableShutdownGracefully serverAsyncSemaphoreValue serverCallbackExecutorThreads serverChannelMaxIdleTimeSeconds
    serverNettyWorkerGroupEnable serverOnewaySemaphoreValue serverPooledByteBufAllocatorEnable serverSelectorThreads
    serverSocketBacklog serverSocketRcvBufSize serverSocketSndBufSize serverWorkerThreads shutdownWaitTimeSeconds
    useEpollNativeSelector writeBufferHighWaterMark writeBufferLowWaterMark
";

/// `NettyClientConfig`.
const NETTY_CLIENT_CONFIG: &str = "
    channelNotActiveInterval clientAsyncSemaphoreValue clientCallbackExecutorThreads clientChannelMaxIdleTimeSeconds
    clientCloseSocketIfTimeout clientOnewaySemaphoreValue clientPooledByteBufAllocatorEnable clientSocketRcvBufSize
    clientSocketSndBufSize clientWorkerThreads connectTimeoutMillis disableCallbackExecutor disableNettyWorkerGroup
    enableReconnectForGoAway maxReconnectIntervalTimeSeconds scanAvailableNameSrv socksProxyConfig useTLS
";

/// `NamesrvConfig`.
const NAMESRV_CONFIG: &str = "
    clientRequestThreadPoolNums clientRequestThreadPoolQueueCapacity clusterTest configStorePath defaultThreadPoolNums
    defaultThreadPoolQueueCapacity enableAllTopicList enableControllerInNamesrv enableTopicList needWaitForService
    productEnvName rocketmqHome unRegisterBrokerQueueCapacity waitSecondsForService
";
