"""What people write who want no more messages, and what only looks like it: a sentence a line, by language."""

WISHES = {
    "de": """
        Hör auf mir zu schreiben
        Hören Sie auf mir zu schreiben!
        Bitte hören Sie auf, mir Nachrichten zu schicken
        Hör bitte auf damit
        Hört endlich auf mir SMS zu schicken
        hoer auf mir zu schreiben
        Hör auf mich zu nerven.
        Hören Sie sofort auf, mich zu kontaktieren
        Hören Sie auf, mich zu belästigen
        Schreiben Sie mir nicht mehr
        Schreib mir nie wieder!
        schreibt mir bitte nicht mehr
        Bitte schreiben Sie mir nicht mehr auf diese Nummer
        Schicken Sie mir keine Nachrichten mehr
        Schick mir keine SMS mehr
        Bitte senden Sie mir keine weiteren Nachrichten
        Schicken Sie mir keine Werbung mehr, danke
        Senden Sie keine Nachrichten mehr an diese Nummer
        Kontaktieren Sie mich nicht mehr
        Kontaktiert mich nie wieder
        Keine weiteren Nachrichten bitte
        Keine Nachrichten mehr
        Keine SMS mehr bitte!
        Bitte keine Werbung
        Ich möchte keine Nachrichten mehr bekommen
        Ich will keine SMS mehr von euch
        Ich möchte keine weiteren Nachrichten erhalten
        Ich wünsche keine Werbung
        Ich will nichts mehr von euch hören
        Ich möchte nicht mehr kontaktiert werden
        Nehmen Sie mich aus dem Verteiler
        Bitte nehmt mich von der Liste
        Streichen Sie mich von Ihrer Liste
        Löschen Sie meine Nummer
        Lösch meine Nummer bitte
        Bitte löschen Sie meine Telefonnummer aus Ihrer Datenbank
        Lasst mich in Ruhe
        Lassen Sie mich bitte in Ruhe!
        Ich widerrufe meine Einwilligung
        Hiermit widerrufe ich meine Einwilligung
        Melden Sie mich bitte von diesen Nachrichten ab
        Stoppen Sie diese Nachrichten
        Stellen Sie diese Nachrichten ein
        Nein danke. Schreibt mir nicht mehr.
        Kein Interesse, bitte keine weiteren Nachrichten
        Falsche Nummer, bitte schreiben Sie mir nicht mehr
    """,
    "es": """
        deja de mandarme mensajes
        Deje de enviarme mensajes por favor
        Dejen de escribirme
        dejad de molestarme
        Ya deja de escribirme
        Por favor, dejen de enviarme SMS
        para de mandarme mensajes
        Paren de molestarme ya
        Basta de mensajes
        Deja de enviarme publicidad
        dejen de contactarme
        No me escriban más
        No me escribas más por favor
        no me manden más mensajes
        No me envíen más SMS
        no me mandes nada más
        No me envíe más publicidad
        No me molesten más
        no me contacten más
        No quiero recibir más mensajes
        no quiero más mensajes
        No deseo recibir sus mensajes
        No quiero recibir publicidad
        No quiero que me escriban más
        No quiero que me contacten
        no más mensajes
        No más SMS, gracias
        ¡No más mensajes!
        Quítenme de su lista
        Quítame de la lista por favor
        Bórrenme de su base de datos
        Elimínenme de la lista de contactos
        borren mi número
        Eliminen mi número de su lista
        Saque mi número de su base de datos
        Quiero darme de baja de esta lista
        Denme de baja de estos mensajes
        déjenme en paz
        Déjame en paz!
        Déjeme tranquila
        Revoco mi consentimiento
        Retiro mi consentimiento
        No vuelvan a escribirme
        no vuelva a contactarme nunca más
        No vuelvan a mandarme mensajes
        Número equivocado. Por favor no me escriban más
        No me interesa, dejen de mandarme mensajes
        Le pido que no me escriba más
    """,
    "fr": """
        Arrêtez de m'envoyer des messages
        Arrête de m'écrire
        arretez de m'ecrire svp
        Arrêtez de me contacter
        Merci d'arrêter de m'écrire
        Merci de cesser de me contacter
        Cessez de m'importuner
        Cessez de m'envoyer vos pubs
        Arrêtez vos SMS
        Arrêtez ces messages s'il vous plaît
        Veuillez arrêter de m'envoyer des SMS
        Pouvez-vous arrêter de me contacter ?
        Ne m'écrivez plus
        Ne m’écrivez plus
        ne m'envoyez plus de messages
        Ne m'envoyez plus de SMS
        m'envoyez plus de messages
        Ne me contactez plus
        Ne me contactez plus jamais
        Merci de ne plus me contacter
        ne nous écrivez plus
        Ne m'envoyez plus rien
        N'envoyez plus de messages à ce numéro
        n'envoyez plus rien
        Je ne veux plus recevoir de messages
        Je ne veux plus de SMS
        je ne souhaite plus recevoir vos messages
        Je ne souhaite pas recevoir de publicité
        Je ne veux plus être contacté
        Je ne souhaite plus être contactée
        Plus aucun message
        Plus jamais de SMS merci
        Retirez-moi de votre liste
        Supprimez-moi de votre base de données
        Supprimez mon numéro
        Effacez mon numéro de vos fichiers
        Enlevez-moi de cette liste svp
        Désabonnez-moi
        désinscrivez-moi de votre liste
        Je souhaite me désabonner de cette liste
        Laissez-moi tranquille
        Laisse moi tranquille !
        Fichez-moi la paix
        Foutez-moi la paix
        Je retire mon consentement
        Je révoque mon consentement
        Non merci. Ne m'écrivez plus.
        Pas intéressé, ne me contactez plus
        Mauvais numéro, arrêtez de m'écrire
    """,
    "pt": """
        Pare de me mandar mensagens
        Parem de me enviar mensagens
        pare de enviar mensagens
        Para de me escrever
        Por favor parem de me contatar
        Deixem de me mandar SMS
        Deixe de me incomodar
        Chega de mensagens
        Parem de me perturbar!
        Pare de mandar mensagem
        Não me mande mais mensagens
        Não me mandem mais nada
        não me envie mais mensagens
        Não me enviem SMS
        nao me mande mensagens
        Não me escreva mais
        Não me escrevam mais por favor
        Não me contate mais
        não me contactem
        Não me incomodem mais
        Não me perturbe
        Não mandem mais mensagens
        Não envie mais SMS
        Não quero mais receber mensagens
        Não quero receber mais mensagens
        Não quero mais mensagens
        Não desejo receber propaganda
        não quero receber promoções
        Não quero mais que me mandem mensagens
        Não quero que me contactem
        Sem mais mensagens
        Tire meu número da lista
        Retirem o meu número da vossa lista
        Remova meu número
        Apague meu número por favor
        Exclua meu contato
        Me tire da lista
        Tirem-me da lista
        Quero sair da lista
        Me remova dessa lista
        Me descadastre
        Quero me descadastrar
        Me deixa em paz
        Deixem-me em paz!
        Revogo meu consentimento
        Retiro o meu consentimento
        Não voltem a escrever-me
        Não voltem a me mandar mensagens
        Número errado. Não me mandem mais mensagens
        Obrigado, não quero receber mais mensagens
    """,
    "it": """
        Smettetela di scrivermi
        Smettila di mandarmi messaggi
        Smetta di scrivermi
        Vi prego di smetterla di contattarmi
        smettetela di mandarmi questi messaggi
        Smettete di disturbarmi
        Piantatela di inviarmi pubblicità
        Finitela di scrivermi
        Per favore smettetela di inviarmi SMS
        Smettetela con questi messaggi
        Basta con questi messaggi
        Basta messaggi
        basta SMS per favore
        Niente più messaggi
        Basta pubblicità!
        Non mi scrivete più
        Non mi scriva più
        Non scrivetemi più
        non scrivermi mai più
        Non contattatemi più
        Non mi contattate più
        Non mi contatti più per favore
        Non mi disturbate più
        Non mandatemi più messaggi
        Non mi mandate più SMS
        Non inviatemi più nulla
        Non mi invii più messaggi
        non mandarmi più messaggi
        Non voglio più messaggi
        Non voglio ricevere messaggi
        Non voglio più ricevere i vostri messaggi
        Non desidero ricevere pubblicità
        Non voglio altri messaggi
        Non voglio più essere contattato
        Non desidero essere contattata
        Toglietemi dalla lista
        Cancellatemi dalla vostra lista
        Rimuovetemi dai vostri contatti
        Mi tolga dalla lista
        Cancellate il mio numero
        Cancelli il mio numero per favore
        Eliminate il mio numero dal vostro database
        Lasciatemi in pace
        Lasciami stare
        Mi lasci in pace
        Revoco il mio consenso
        Ritiro il consenso
        No grazie. Non scrivetemi più.
        Numero sbagliato, non mi scrivete più
    """,
}

NEAR_MISSES = {
    "de": """
        Ich höre heute nicht auf
        hör nicht auf
        Hören Sie bitte nicht auf mir zu schreiben
        Ich höre um 18 Uhr auf
        Wann hört ihr auf?
        Hör auf deinen Arzt
        Es hört nicht auf zu regnen
        Schreiben Sie mir bitte nicht vor 9 Uhr
        Schreib mir morgen nicht mehr so früh
        Schreiben Sie mir mehr
        Schreib mir nicht mehr auf Englisch
        Ich habe ihm gesagt, er soll mir nicht mehr schreiben
        Schicken Sie mir keine Rechnung mehr
        Schicken Sie mir bitte die Nachricht noch einmal
        Ich habe keine Nachrichten bekommen
        Keine Nachricht
        Keine Zeit
        Keine mehr
        Nein, keine
        Nichts mehr
        Ich möchte nichts mehr
        Ich möchte keine Milch
        Ich will keine weiteren Kosten
        Ich möchte mich abmelden
        Ich melde mich später
        Melden Sie sich bitte
        Löschen Sie den Termin
        Bitte streichen Sie den Termin am Montag
        Nehmen Sie mich auf die Warteliste
        Nehmen Sie mich von der Liste für Montag
        Lassen Sie mich kurz überlegen
        Lassen Sie uns in Ruhe darüber reden
        In Ruhe
        Stopp, das war falsch
        Ende Mai
        Abbestellen?
        Kann ich die Bestellung stornieren?
        Ich widerrufe meine Bestellung
        Stellen Sie den Termin bitte ein
        Ich bekomme keine SMS mehr
        Warum schreiben Sie mir nicht mehr?
        Werbung habe ich gesehen
        Falsche Nummer
        Kein Interesse
    """,
    "es": """
        Ya no puedo ese día
        Deja de llover a las cinco
        Dejen el paquete en la puerta
        Para mañana
        Para de llover pronto?
        Deja un mensaje
        Deje de fumar hace un año
        No me escribas antes de las nueve
        No me manden la factura por correo
        No me envíen el pedido a la oficina
        No me llame por la mañana
        No quiero
        No quiero más
        no quiero más café
        No quiero recibir el paquete hoy
        No quiero que me llamen temprano
        No más
        No, gracias
        no gracias, eso es todo
        Quiero más mensajes
        Mándenme más mensajes
        No recibí más mensajes
        No he recibido ningún mensaje
        Quiero darme de baja del gimnasio
        dar de baja la línea
        Quiero cancelar la cita
        Cancela mi reserva
        Borren la cita del martes
        Elimine ese artículo de mi lista
        Quiten la cebolla
        Quítame la duda
        Sáqueme una cita
        ¿Puedo borrar mi número y poner otro?
        Cambien mi número
        Déjeme pensar
        Déjame ver
        Le dije que dejara de mandarme mensajes
        ¿Por qué no me escriben más?
        Basta con uno
        Ya basta
        Fin
        Terminar
        No me interesa
        Número equivocado
        Nunca más llego tarde
    """,
    "fr": """
        J'arrête à 18 heures
        Arrêtez-vous devant la porte
        Arrête
        Je n'arrête pas
        N'arrêtez pas de m'écrire
        Arrêtez de travailler à quelle heure ?
        Le bus s'arrête où ?
        Ne m'écrivez pas avant neuf heures
        Ne m'envoyez pas la facture
        Ne me contactez plus au bureau mais ici
        Ne m'appelez pas le matin
        Envoyez-moi plus de messages
        envoyez plus de messages
        plus de messages
        Je veux plus de messages
        Je veux recevoir vos messages
        J'ai reçu plusieurs messages
        Je ne reçois plus de messages
        Je n'ai pas reçu de message
        Je ne veux plus
        Je ne veux pas
        Je ne veux plus de café
        Je ne souhaite plus venir lundi
        Aucun
        Aucun message
        Rien d'autre
        Plus rien
        C'est tout, merci
        Retirez l'article de ma commande
        Supprimez le rendez-vous
        Enlevez les oignons
        Je voudrais me désinscrire du cours
        Je veux annuler
        Annulez la réservation
        Laissez-moi réfléchir
        Laisse-moi voir
        Laissez le colis au voisin
        J'ai dit à mon frère d'arrêter de m'écrire
        Pourquoi ne m'écrivez-vous plus ?
        Je serai tranquille demain
        Il m'a laissé tranquille
        Fin mai
        Pas intéressé
        Mauvais numéro
        Je retire le colis demain
    """,
    "pt": """
        Para amanhã
        Pare na porta
        Pare de chover e eu vou
        Não para de chover
        Não pare de me mandar mensagens
        Parem o pedido
        Deixe o pacote na portaria
        Deixa eu ver
        Deixe-me pensar
        Deixei de fumar
        Não me mande a fatura por email
        Não me envie o pedido hoje
        Não me ligue de manhã
        Não me escreva antes das nove
        Não me mande mensagens antes das nove
        Não quero
        Não quero mais
        Não quero mais café
        Não quero receber o pacote hoje
        Quero receber mensagens
        Quero mais mensagens
        Mande mais mensagens
        Não recebi mais mensagens
        Não recebi mensagem
        Nenhuma
        Nada
        Nada mais
        Mais nada, obrigado
        Chega às cinco
        Chega
        Quero sair mais cedo
        Quero sair da reunião
        Tire a cebola
        Tira uma dúvida
        Remova o item da lista
        Apague a luz
        Cancelar a consulta
        Quero cancelar
        Posso mudar meu número?
        Meu número mudou
        Disse a ele que parasse de me mandar mensagens
        Por que vocês não me escrevem mais?
        Fim
        Não tenho interesse
        Número errado
        Volte a me escrever amanhã
    """,
    "it": """
        Smetto alle sei
        Smette di piovere?
        Smettila
        Non smettere di scrivermi
        Non smettetela
        Basta così
        Basta
        Basta uno
        Basta un messaggio
        Non mi scriva prima delle nove
        Non scrivetemi al mattino
        Non mi mandi la fattura
        Non mandatemi il pacco oggi
        Non mi chiami la mattina
        Non voglio
        Non voglio più niente
        Non voglio più il caffè
        Non voglio altro
        Voglio ricevere messaggi
        Voglio più messaggi
        Mandatemi più messaggi
        Non ricevo più messaggi
        Non ho ricevuto messaggi
        Nessun messaggio
        Niente messaggi
        Niente
        Niente altro, grazie
        Non più
        Toglietemi una curiosità
        Tolga la cipolla
        Cancellate la prenotazione
        Cancelli l'appuntamento di lunedì
        Eliminate quell'articolo dal carrello
        Voglio cancellarmi dal corso
        Il mio numero è cambiato
        Lasciatemi pensare
        Lasciate il pacco al vicino
        Mi lasci un messaggio
        Ho detto a lui di smetterla di scrivermi
        Perché non mi scrivete più?
        Fine maggio
        Finitela entro lunedì
        Non mi interessa
        Numero sbagliato
        Ritiro il pacco domani
    """,
}
